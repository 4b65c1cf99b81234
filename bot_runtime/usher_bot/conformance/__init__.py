"""`usher-bot conformance`: run a bot against a control plane on this machine, and say which rules it keeps."""
