"""The callback server: where bots report their lives. In-cluster only, never in the public API."""
