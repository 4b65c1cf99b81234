"""Kubernetes at arm's length: a port, its one adapter, and pure builders of what is sent to it."""
