"""A private Postgres and a private Redis for integration tests, beside whatever else this machine runs."""
