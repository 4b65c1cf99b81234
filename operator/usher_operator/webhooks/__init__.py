"""Outbound webhooks: what the outbox holds is signed, sent to a target that was checked, and tried again for a day."""
