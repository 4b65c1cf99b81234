"""The exec driver: any program as the bot."""
