"""Outbound webhooks: deliveries from the outbox are signed, sent to a checked target, and retried for a day."""
