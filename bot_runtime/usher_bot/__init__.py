"""The bot: it owns its state, reports it through callbacks, and obeys commands."""
