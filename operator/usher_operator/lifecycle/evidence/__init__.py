"""What is known of each meeting that failed, kept as one bounded bundle."""
