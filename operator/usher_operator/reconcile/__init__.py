"""The reconciler: what the watch, the bot or Kubernetes left undone, found and repaired. One failure mode per file."""
