"""`usher user` and `usher token` on a real database."""

import json

import pytest
from typer.testing import CliRunner

from usher_operator.cli import main


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("USHER_DATABASE_URL", database_url)


def usher(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main.app, list(arguments))
    assert done.exit_code == code, done.output
    return done.output


def test_users_are_added_listed_and_limited() -> None:
    user_id = int(usher("user", "add", "a@example.org", "-n", "2"))
    (user,) = json.loads(usher("user", "list", "--json"))
    assert (user["id"], user["max_concurrent_bots"], user["used"]) == (user_id, 2, 0)
    assert json.loads(usher("user", "set-limit", "a@example.org", "7", "--json"))["max_concurrent_bots"] == 7
    assert "a@example.org" in usher("user", "list")
    assert "The user does not exist." in usher("user", "set-limit", "b@example.org", "1", code=1)


def test_adding_a_user_again_keeps_the_limit_unless_another_is_given() -> None:
    user_id = usher("user", "add", "a@example.org", "-n", "7").strip()
    assert usher("user", "add", "a@example.org").strip() == user_id
    assert json.loads(usher("user", "list", "--json"))[0]["max_concurrent_bots"] == 7
    assert "its limit is now 2, it was 7." in usher("user", "add", "a@example.org", "-n", "2")


def test_a_name_with_brackets_is_shown_as_it_is() -> None:
    usher("user", "add", "a@example.org")
    usher("token", "create", "a@example.org", "--name", "Ops [/team]")
    assert "Ops [/team]" in usher("token", "list", "a@example.org")


def test_keys_are_created_listed_and_revoked() -> None:
    usher("user", "add", "a@example.org")
    secret = usher("token", "create", "a@example.org", "--name", "ci", "--scope", "bot").strip()
    assert secret.startswith("usher_")
    listed = usher("token", "list", "a@example.org", "--json")
    assert secret not in listed
    (token,) = json.loads(listed)
    assert (token["name"], token["scopes"], token["hashed"]) == ("ci", ["bot"], True)
    assert "hashed" in usher("token", "list", "a@example.org")
    assert "revoked" in usher("token", "revoke", str(token["id"]))
    assert "The token does not exist." in usher("token", "revoke", str(token["id"]), code=1)
    assert "No user has the email" in usher("token", "create", "b@example.org", code=1)
