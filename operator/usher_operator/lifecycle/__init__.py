"""The acts on one bot: reserve, create, command, close. Each may be repeated."""
