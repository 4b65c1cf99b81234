"""What exists only for the clients and the rows of an older Vexa deployment."""
