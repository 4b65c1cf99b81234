"""A Redis that refuses: everything that asks it logs which one it is and what it said, without the password."""

import socket

import pytest

from tests.integration.operator.security.conftest import OwnRedis
from tests.scenario import Scenario
from usher_models.errors import RedisUnavailable
from usher_models.wire import leave_command
from usher_operator.api.vexa.announcer import Announcer
from usher_operator.lifecycle.commands import RedisPublisher
from usher_operator.redis_acl.users import AclUsers

SECRET = "local-only-local-only-local-only"
CREDENTIALS = {
    "a wrong password": ("usher-serve:hunter22@", "invalid username-password pair or user is disabled"),
    "no password": ("", "authenticat"),
    "an unknown user": ("nobody:hunter22@", "invalid username-password pair or user is disabled"),
}


def with_credentials(own_redis: OwnRedis, credentials: str) -> str:
    return own_redis.server.replace("redis://", f"redis://{credentials}")


def the_only_connection(own_redis: OwnRedis) -> socket.socket:
    """Redis may still count the connection that waited for its start."""
    while True:
        link = socket.create_connection(("127.0.0.1", own_redis.port))
        link.sendall(b"PING\r\n")
        if b"max number" not in link.recv(100):
            return link
        link.close()


@pytest.mark.parametrize(("credentials", "said"), CREDENTIALS.values(), ids=CREDENTIALS)
async def test_what_redis_said_is_logged_by_everything_that_asks_it(
    given: Scenario, own_redis: OwnRedis, caplog: pytest.LogCaptureFixture, credentials: str, said: str
) -> None:
    url = with_credentials(own_redis, credentials)
    publisher, announcer = RedisPublisher.connect(url), Announcer.connect(url)
    users = AclUsers.connect(url, secret=SECRET, database=given.database)
    await publisher.publish(await given.a_bot(), leave_command(1))
    await announcer.announce(["u:1:meetings"], "{}")
    await users._note_outcome(users.compare)
    with pytest.raises(RedisUnavailable, match=f"No answer from the Redis at 127.0.0.1:{own_redis.port}: .*{said}"):
        await publisher.ping()
    await publisher.close()
    await users.close()
    actions = {"publish_failed", "announce_failed", "redis_users_stale"}
    lines = [record.getMessage() for record in caplog.records if getattr(record, "action", "") in actions]
    assert len(lines) == 3
    assert all(said in line and f"127.0.0.1:{own_redis.port}" in line for line in lines)
    assert "hunter22" not in caplog.text


async def test_a_user_without_the_right_is_named(
    given: Scenario, own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    users = AclUsers.connect(own_redis.url("usher-serve"), secret=SECRET, database=given.database)
    for _ in range(3):
        await users._note_outcome(users.compare)
    await users.close()
    (line,) = [record.getMessage() for record in caplog.records if getattr(record, "action", "") == "redis_users_stale"]
    assert "no permissions to run the 'acl|users' command" in line


async def test_a_server_with_too_many_clients_is_told(own_redis: OwnRedis) -> None:
    own_redis.stop()
    own_redis.options = ("--maxclients", "1")
    own_redis.start()
    publisher = RedisPublisher.connect(own_redis.url("usher-serve"))
    with the_only_connection(own_redis), pytest.raises(RedisUnavailable, match="max number of clients reached"):
        await publisher.ping()
    await publisher.close()
