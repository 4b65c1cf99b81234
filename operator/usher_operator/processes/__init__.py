"""What runs: `usher operate`, `usher serve`, and both in one for development."""
