"""Commands: what a bot has not obeyed yet, under ids that never change, without any secret."""

import pytest

from tests.fakes.bots import a_bot_row
from usher_models.db.bots import Bot
from usher_models.states import Desired, Status
from usher_models.wire import Command
from usher_operator.lifecycle.commands import RedisPublisher, pending

CONFIG = {"bot_name": "Usher", "meeting_url": "https://zoom.us/j/1?pwd=swordfish", "passcode": "swordfish"}


def a_bot(**fields: object) -> Bot:
    return a_bot_row(**{"status": Status.ACTIVE, "config": CONFIG | {"language": "de"}} | fields)


def told(bot: Bot) -> list[dict[str, object]]:
    return [command.model_dump(exclude_none=True) for command in pending(bot)]


def test_a_bot_that_is_as_it_should_be_is_told_nothing() -> None:
    assert pending(a_bot()) == []
    assert pending(a_bot(config_generation=2, applied_generation=2)) == []


def test_a_bot_that_shall_leave_is_told_until_it_is_gone() -> None:
    assert told(a_bot(desired=Desired.LEAVE)) == [{"id": "1:leave", "action": "leave"}]
    assert told(a_bot(desired=Desired.LEAVE, status=Status.STOPPING)) == [{"id": "1:leave", "action": "leave"}]


def test_a_bot_that_is_behind_is_told_the_newest_configuration() -> None:
    assert told(a_bot(config_generation=3, applied_generation=1)) == [
        {"id": "1:config:3", "action": "reconfigure", "generation": 3, "language": "de"}
    ]


def test_a_configuration_comes_before_the_farewell() -> None:
    bot = a_bot(config_generation=1, desired=Desired.LEAVE)
    assert [command.action for command in pending(bot)] == ["reconfigure", "leave"]


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED])
def test_a_bot_whose_meeting_is_over_is_told_nothing(status: Status) -> None:
    assert pending(a_bot(desired=Desired.LEAVE, config_generation=1, status=status)) == []


def test_ids_are_the_same_each_time_and_differ_between_meetings_and_generations() -> None:
    def ids(**fields: object) -> list[str]:
        return [command.id for command in pending(a_bot(desired=Desired.LEAVE, **fields))]

    assert ids(config_generation=1) == ids(config_generation=1)
    assert len({*ids(config_generation=1), *ids(config_generation=2), *ids(config_generation=1, meeting_id=2)}) == 5


def test_the_passcode_is_never_in_a_command() -> None:
    commands = pending(a_bot(config_generation=1, desired=Desired.LEAVE))
    assert commands
    assert "swordfish" not in "".join(command.model_dump_json() for command in commands)


async def test_without_a_redis_publishing_does_nothing() -> None:
    publisher = RedisPublisher.connect("")
    assert not publisher.configured
    await publisher.ping()
    await publisher.publish(a_bot(), Command(id="1:leave", action="leave"))
    await publisher.close()
