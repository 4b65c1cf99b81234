"""Who writes a history: bots, receivers of webhooks, watches, a reader, and who reads the audit trail at the end."""
