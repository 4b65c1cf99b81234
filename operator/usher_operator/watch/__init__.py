"""What kopf calls, and what is written back: BotRequests in, statuses out."""
