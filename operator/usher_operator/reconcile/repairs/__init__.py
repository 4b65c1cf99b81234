"""One failure mode per file: what the watch, the bot or Kubernetes left undone."""
