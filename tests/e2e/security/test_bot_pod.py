"""What a bot's program can reach from its pod, should it be a malicious one: its own callbacks and commands."""

import base64
import json

from dev.demo.kubectl import SYSTEM
from tests.e2e.kit import Bot, Cluster, eventually
from tests.e2e.security import inside

CREDENTIALS = """
found["mounts"] = sorted(os.listdir("/var/run/secrets")) + sorted(os.listdir("/var/run/secrets/usher"))
found["names"] = sorted(name for name in os.environ if name.startswith("USHER_"))
found["environment"] = " ".join(os.environ.values())
"""


def test_a_bot_holds_its_callback_token_and_no_other_credential(bot: Bot, cluster: Cluster) -> None:
    found = inside.run(bot, CREDENTIALS)
    assert [mount for mount in found["mounts"] if not mount.startswith("..")] == ["usher", "token"]
    assert not {"USHER_DATABASE_URL", "USHER_ADMIN_API_KEY", "USHER_BOT_REDIS_SECRET"} & set(found["names"])
    for secret in cluster.kubectl.json("get", "secrets", "--namespace", SYSTEM)["items"]:
        for name, value in secret.get("data", {}).items():
            if any(word in name for word in ("PASSWORD", "KEY", "SECRET")):
                assert base64.b64decode(value).decode() not in found["environment"], name


API = """
import ssl, urllib.error, urllib.request
token = open(os.environ["USHER_TOKEN_FILE"]).read().strip()
base = "https://" + os.environ["KUBERNETES_SERVICE_HOST"] + ":" + os.environ["KUBERNETES_SERVICE_PORT"]
trusting = ssl._create_unverified_context()
for path in given:
    for who, headers in (("nobody", {}), ("itself", {"Authorization": "Bearer " + token})):
        request = urllib.request.Request(base + path, headers=headers)
        try:
            found[who + " " + path] = urllib.request.urlopen(request, context=trusting, timeout=10).status
        except urllib.error.HTTPError as error:
            found[who + " " + path] = error.code
        except OSError as error:
            found[who + " " + path] = "unreachable"
"""
PATHS = [
    "/api/v1/namespaces/usher-bots/pods",
    "/apis/usher.dev/v1alpha1/botrequests",
    "/api/v1/secrets",
    "/openid/v1/jwks",
]


def test_a_bot_cannot_read_the_api_and_its_token_is_none_there(bot: Bot) -> None:
    found = inside.run(bot, API, PATHS)
    assert {answer for who, answer in found.items() if who.startswith("nobody")} <= {401, 403, "unreachable"}
    assert {answer for who, answer in found.items() if who.startswith("itself")} <= {401, "unreachable"}
    assert len(found) == 2 * len(PATHS)


# Postgres' own protocol: a bot has no driver, but may bring one along.
POSTGRES = """
import hashlib, socket, struct
def say(kind, body):
    link.sendall(kind + struct.pack("!I", len(body) + 4) + body)
def hear():
    head = link.recv(5, socket.MSG_WAITALL)
    return head[:1].decode(), link.recv(struct.unpack("!I", head[1:])[0] - 4, socket.MSG_WAITALL)
try:
    link = socket.create_connection((given["host"], 5432), timeout=5)
except OSError:
    found["login"] = "unreachable"
else:
    say(b"", struct.pack("!I", 196608) + b"user\\0usher\\0database\\0usher\\0\\0")
    kind, body = hear()
    found["asks"] = kind + str(struct.unpack("!I", body[:4])[0])
    first = b"n,,n=,r=0123456789"
    say(b"p", b"SCRAM-SHA-256\\0" + struct.pack("!I", len(first)) + first)
    kind, body = hear()
    nonce = body[4:].split(b",")[0]
    say(b"p", b"c=biws," + nonce + b",p=" + b"A" * 43 + b"=")
    kind, body = hear()
    found["login"] = "refused" if kind == "E" and b"28P01" in body else kind
"""


def test_a_bot_cannot_log_in_to_postgres(bot: Bot) -> None:
    found = inside.run(bot, POSTGRES, {"host": f"usher-postgresql.{SYSTEM}.svc.cluster.local"})
    assert found in ({"login": "unreachable"}, {"asks": "R10", "login": "refused"})


REDIS = """
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
once = dict(retry=Retry(NoBackoff(), 0), socket_timeout=5)
url = os.environ["USHER_REDIS_URL"]
def asked(command, url=url):
    with redis.Redis.from_url(url, **once) as client:
        try:
            if "SUBSCRIBE" in command:
                with client.pubsub() as heard:
                    how, channel = command.split()
                    getattr(heard, how.lower())(channel)
                    messages = (heard.get_message(timeout=2) for _ in range(5))
                    return next((message["type"] for message in messages if message), "silence")
            return str(client.execute_command(*command.split()))
        except redis.RedisError as error:
            return type(error).__name__
found["own"] = [asked("SUBSCRIBE " + channel) for channel in given["own"]]
found["forbidden"] = {command: asked(command) for command in given["forbidden"]}
found["others"] = {other: asked("PING", other) for other in given["urls"]}
"""


def test_a_bot_hears_its_own_commands_on_redis_and_can_do_nothing_else_there(bots: tuple[Bot, Bot]) -> None:
    bot, other = bots
    mine, theirs = bot.row(), other.row()
    eventually("the bot to listen", lambda: "redis_subscribed" in str(bot.words()))
    forbidden = [
        f"SUBSCRIBE bot_commands:meeting:{theirs['meeting_id']}",
        f"SUBSCRIBE bot_commands:{theirs['connection_id']}",
        "PSUBSCRIBE bot_commands:*",
        f"PUBLISH bot_commands:meeting:{theirs['meeting_id']} leave",
        f"PUBLISH bot_commands:meeting:{mine['meeting_id']} leave",
        "ACL LIST",
        "ACL SETUSER intruder on nopass +@all",
        "CONFIG GET *",
        "FLUSHALL",
        "GET key",
        "PUBSUB CHANNELS",
        "CLIENT LIST",
    ]
    (pod,) = bot.pods()
    environment = {line["name"]: line.get("value", "") for line in pod["spec"]["containers"][0]["env"]}
    address = environment["USHER_REDIS_URL"].rpartition("@")[2]
    password = environment["USHER_REDIS_URL"].rpartition("@")[0].rpartition(":")[2]
    found = inside.run(
        bot,
        REDIS,
        {
            "own": [f"bot_commands:meeting:{mine['meeting_id']}", f"bot_commands:{mine['connection_id']}"],
            "forbidden": forbidden,
            "urls": [
                f"redis://{address}",
                f"redis://bot-{theirs['meeting_id']}:{password}@{address}",
                f"redis://usher-operate:{password}@{address}",
            ],
        },
    )
    assert found["own"] == ["subscribe", "subscribe"]
    assert found["forbidden"] == dict.fromkeys(forbidden, "NoPermissionError")
    assert set(found["others"].values()) == {"AuthenticationError"}


def test_the_user_of_a_bot_is_gone_with_its_meeting(cluster: Cluster, bots: tuple[Bot, Bot]) -> None:
    third = cluster.a_bot(None, called="passing").asking(userId=bots[0].row()["user_id"]).apply().wait_for("Joined")
    (pod,) = third.pods()
    environment = {line["name"]: line.get("value", "") for line in pod["spec"]["containers"][0]["env"]}
    url = environment["USHER_REDIS_URL"]
    assert inside.run(bots[0], REDIS, {"own": [], "forbidden": [], "urls": [url]})["others"] == {url: "True"}
    third.ask_to_leave()
    third.ended()
    eventually(
        "its user to be gone",
        lambda: (
            inside.run(bots[0], REDIS, {"own": [], "forbidden": [], "urls": [url]})["others"]
            == {url: "AuthenticationError"}
        ),
    )
    third.delete()


def test_a_request_cannot_name_the_channel_of_another_meeting(cluster: Cluster, bots: tuple[Bot, Bot]) -> None:
    theirs = f"meeting:{bots[1].row()['meeting_id']}"
    wish = cluster.a_bot(None, called="squatter").asking(userId=bots[0].row()["user_id"], connectionId=theirs)
    assert "must not begin with meeting:" in wish.refusal()


def test_the_api_and_the_admin_api_hear_no_bot(bot: Bot) -> None:
    probe = """
import urllib.error, urllib.request
token = open(os.environ["USHER_TOKEN_FILE"]).read().strip()
for path in ("/bots/status", "/admin/users"):
    headers = {"Authorization": "Bearer " + token, "X-API-Key": token, "X-Admin-API-Key": token}
    try:
        found[path] = urllib.request.urlopen(urllib.request.Request(given + path, headers=headers), timeout=10).status
    except urllib.error.HTTPError as error:
        found[path] = error.code
    except OSError:
        found[path] = "unreachable"
"""
    found = inside.run(bot, probe, f"http://usher-api.{SYSTEM}.svc.cluster.local:8080")
    assert found["/bots/status"] in (401, "unreachable"), json.dumps(found)
    assert found["/admin/users"] in (403, "unreachable"), json.dumps(found)
