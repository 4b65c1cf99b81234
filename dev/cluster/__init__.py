"""A real Kubernetes on one machine, for development, the demo and end-to-end tests: see README.md."""
