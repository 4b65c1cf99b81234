"""Whatever a user chooses arrives in the pod as it was given, and reads no other variable.

`expanded` is the rule of Kubernetes for `env[].value`, `command` and `args`, written down once more: `$$` is a dollar
sign, `$(NAME)` the value of an earlier variable if there is one, and everything else stays.
"""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.bots import a_bot_row
from tests.fakes.settings import INSTALLATION, some_settings
from usher_models.db.bots import Bot
from usher_operator.kube.expansion import literal
from usher_operator.kube.job import build_job
from usher_operator.processes.operate import job_settings

HOSTILE = st.lists(st.sampled_from(["$", "$$", "(", ")", "HOME", "USHER_REDIS_URL", "word", "\\", "{", "}"])).map(
    "".join
)
SECRET = "redis://bot-1:swordfish@redis:6379/0"


def expanded(value: str, before: dict[str, str]) -> str:
    def one(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return before.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", one, value)


def environment(bot: Bot, **settings: Any) -> dict[str, str]:
    """The variables as the bot's process gets them."""
    job = build_job(bot, job_settings(some_settings(**settings), installation=INSTALLATION))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    got: dict[str, str] = {}
    for line in container["env"]:
        if "value" in line:
            got[line["name"]] = expanded(line["value"], got)
    return got


@given(value=HOSTILE | st.text(), before=st.dictionaries(st.sampled_from(["HOME", "USHER_REDIS_URL"]), st.text()))
def test_a_literal_arrives_as_it_was_given(value: str, before: dict[str, str]) -> None:
    assert expanded(literal(value), before) == value


@given(name=HOSTILE, passcode=HOSTILE, part=HOSTILE)
def test_names_passcodes_and_commands_arrive_as_they_were_given(name: str, passcode: str, part: str) -> None:
    spec = a_bot_row().spec | {"driver": "exec", "command": ["sh", "-c", part]}
    config = a_bot_row().config | {"bot_name": name, "passcode": passcode}
    got = environment(a_bot_row(spec=spec, config=config), bot_redis_url=SECRET)
    assert (got["USHER_BOT_NAME"], got["USHER_PASSCODE"]) == (name, passcode)
    assert json.loads(got["USHER_DRIVER_OPTIONS"]) == {"command": ["sh", "-c", part]}


@pytest.mark.parametrize("variable", ["USHER_REDIS_URL", "USHER_PASSCODE", "USHER_TOKEN_FILE"])
def test_a_bots_name_shows_no_other_variable(variable: str) -> None:
    config = a_bot_row().config | {"bot_name": f"Notes $({variable})", "passcode": "swordfish"}
    assert environment(a_bot_row(config=config), bot_redis_url=SECRET)["USHER_BOT_NAME"] == f"Notes $({variable})"


def test_addresses_of_the_installation_are_literal_too() -> None:
    got = environment(a_bot_row(), callback_url="http://usher/$(HOME)", bot_redis_url="redis://:a$$b@redis/0")
    assert (got["USHER_CALLBACK_URL"], got["USHER_REDIS_URL"]) == ("http://usher/$(HOME)", "redis://:a$$b@redis/0")


def test_every_string_of_the_pod_that_kubernetes_expands_is_literal() -> None:
    job = build_job(a_bot_row(), job_settings(some_settings(), installation=INSTALLATION))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert "args" not in container
    for value in (*container["command"], *(line["value"] for line in container["env"] if "value" in line)):
        assert "$" not in value.replace("$$", "")
