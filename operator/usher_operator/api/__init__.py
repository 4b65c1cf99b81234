"""The public side: health and metrics for the cluster."""
