"""The watch: BotRequests in, statuses out."""
