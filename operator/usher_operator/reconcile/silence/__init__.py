"""What silence means: the stale rules, and the guards that keep a brownout from failing healthy bots."""
