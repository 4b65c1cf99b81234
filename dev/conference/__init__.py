"""A real video conference on this machine: a LiveKit server behind pages of our own and behind Jitsi Meet's pages."""
