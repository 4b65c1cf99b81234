"""What the operator and the bot share: the state machine, the wire contract, the platforms, and the database."""
