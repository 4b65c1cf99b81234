"""What the REST API reads and answers, as pydantic models."""
