"""The routes of the REST API, one resource per file."""
