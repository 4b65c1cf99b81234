"""What stands in front of LiveKit: pages, tickets, doors and the way through, over TLS."""
