"""What `dev.stores` and `dev.cluster` both need of a machine: packages, processes, a lock and progress lines."""
