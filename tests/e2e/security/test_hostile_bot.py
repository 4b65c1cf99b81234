"""A bot that attacks the server from its pod: slowly, with too much, with other people's languages. The others live."""

import time

from tests.e2e.kit import Bot, Cluster
from tests.e2e.security import inside

# Opens many connections to the callback server that never finish, asks whether it still answers, and lets go of them.
SLOW = """
import socket, time, urllib.request
from urllib.parse import urlsplit
url = urlsplit(os.environ["USHER_CALLBACK_URL"])
token = open(os.environ["USHER_TOKEN_FILE"]).read().strip()
head = "POST /bots/internal/callback/heartbeat HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer " + token
# By address: a lookup that loses a packet takes seconds, and says nothing of the server.
server = (socket.gethostbyname(url.hostname), url.port)
links = [socket.create_connection(server, timeout=10) for _ in range(given["connections"])]
for number, link in enumerate(links):
    link.sendall((head + ("\\r\\nX-Slow: " if number % 2 else "\\r\\nContent-Length: 99\\r\\n\\r\\n{")).encode())
found["waits"] = []
body = json.dumps({"connection_id": os.environ["USHER_CONNECTION_ID"]}).encode()
healthy = urllib.request.Request("http://%s:%d/livez" % server)
for _ in range(5):
    began = time.monotonic()
    try:
        urllib.request.urlopen(healthy, timeout=10)
    except urllib.error.HTTPError as error:
        found["status"] = error.code
    found["waits"].append(time.monotonic() - began)
"""
# Clients of a machine that does other work too; a hung server answers never.
SOON_S = 3.0


def test_500_slow_connections_of_a_bot_hold_up_nobody(bots: tuple[Bot, Bot]) -> None:
    bot, other = bots
    found = inside.run(bot, SLOW, {"connections": 500})
    assert found["status"] == 404
    assert max(found["waits"]) < SOON_S
    began = time.monotonic()
    assert inside.call(other, connection_id=other.uid)[0] == 200
    assert time.monotonic() - began < 10
    assert other.row()["status"] == bot.row()["status"] == "active"


SQL = (
    "'; DROP TABLE meetings; --",
    "1 OR 1=1",
    "\\'; SELECT pg_sleep(30); --",
    "%s %(x)s :x $1 {0}",
    "\u202e\U0001f4a3",
)


def test_sql_in_what_a_bot_says_harms_nothing(cluster: Cluster, bots: tuple[Bot, Bot]) -> None:
    bot, other = bots
    answers = inside.calls(
        bot,
        [
            *(("heartbeat", {"connection_id": text}) for text in SQL),
            *(("heartbeat", {"connection_id": bot.uid, "stage": text}) for text in SQL),
            *(("joined", {"connection_id": bot.uid, "event_id": text}) for text in SQL),
        ],
    )
    assert [status for status, _ in answers] == [422] * 10 + [200] * 5
    tables = cluster.rows(
        "SELECT to_regclass('meetings') IS NOT NULL AS one, to_regclass('usher.bots') IS NOT NULL AS other"
    )
    assert tables == [{"one": True, "other": True}]
    assert other.row()["status"] == bot.row()["status"] == "active"


def test_a_body_that_is_too_large_is_refused_and_the_next_one_heard(bot: Bot) -> None:
    status, answer = inside.call(bot, connection_id=bot.uid, padding="x" * 70_000)
    assert (status, answer["code"]) == (413, "request_entity_too_large")
    assert inside.call(bot, connection_id=bot.uid)[0] == 200
