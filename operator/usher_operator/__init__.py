"""The control plane: one package, two processes (`usher operate` and `usher serve`)."""
