"""Tools for developing Usher: stores for integration tests and a Kubernetes for everything above them.

Nothing here is installed with Usher. Standard library only, so that it runs before any environment exists.
"""
