"""Five bots for an hour in one room with a lively host: `make browser-long`."""
