"""A Redis user for each bot, which may read the commands of its own meeting and nothing else."""
