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


@pytest.mark.parametrize("email", ["not an email", "a b@example.org", "@", "", "a\nb@example.org", "a" * 300 + "@x"])
def test_a_new_user_has_an_address(email: str) -> None:
    assert "must " in usher("user", "add", email, code=2)
    assert json.loads(usher("user", "list", "--json")) == []


@pytest.mark.parametrize(
    "options",
    [
        ("--scope", "botz"),
        ("--scope", "bot", "--scope", "everything"),
        ("--scope", ""),
        ("--expires-in", "inf"),
        ("--expires-in", "nan"),
        ("--expires-in", "1e15"),
        ("--name", "n" * 300),
    ],
)
def test_a_key_that_the_api_would_not_make_is_not_made(options: tuple[str, ...]) -> None:
    usher("user", "add", "a@example.org")
    usher("token", "create", "a@example.org", *options, code=2)
    assert json.loads(usher("token", "list", "a@example.org", "--json")) == []


def test_addresses_that_differ_in_case_are_two_users_and_neither_is_taken_for_the_other() -> None:
    first, second = usher("user", "add", "a@example.org").strip(), usher("user", "add", "A@example.org").strip()
    assert first != second
    usher("meetings", "--user", "A@EXAMPLE.org")
    assert "No user has the email A@EXAMPLE.org" in usher("user", "remove", "A@EXAMPLE.org", code=1)
    usher("user", "remove", "A@example.org")
    assert [user["email"] for user in json.loads(usher("user", "list", "--json"))] == ["a@example.org"]


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
