"""What a bot gets if its request does not say. The schema of BotRequest repeats these values; a test compares both."""

BOT_NAME = "Usher"
LOBBY_TIMEOUT_S = 900
MAX_DURATION_S = 14_400
TTL_AFTER_FINISHED_S = 600
# The BotRequests that the REST API creates; those of other owners are kept unless they say so.
REST_REQUEST_TTL_S = 600
