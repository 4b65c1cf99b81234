"""`usher user` and `usher token`: who may have bots, how many at once, and with which keys."""

from typing import Annotated

import typer

from usher_models.db import api_tokens, user_removal, users
from usher_models.db.api_tokens import Token
from usher_models.db.engine import Database
from usher_models.db.user_removal import Removed
from usher_models.db.users import User
from usher_operator.api.schemas import users as fields
from usher_operator.api.schemas.fields import INT_MAX, Text
from usher_operator.cli import output
from usher_operator.cli.checked import checked
from usher_operator.cli.runner import AsJson, execute, with_database

user = typer.Typer(no_args_is_help=True, help="Users and their limits.")
token = typer.Typer(no_args_is_help=True, help="Keys of the API.")

Email = Annotated[str, typer.Argument(help="The user's e-mail address.")]
# An adopted database may know a user by anything; a new one has an address.
NewEmail = Annotated[str, typer.Argument(help="The user's e-mail address.", callback=checked(fields.Email))]
LIST_MAX = 10_000


@user.command("add")
def user_add(
    email: NewEmail,
    max_concurrent_bots: Annotated[
        int | None,
        typer.Option(
            "--max-concurrent-bots",
            "-n",
            min=0,
            max=INT_MAX,
            help=f"The limit; 0 allows none. A new user gets {users.DEFAULT_LIMIT}, an existing one keeps its own.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a user, or find an existing one; prints the user's id."""
    limit = {} if max_concurrent_bots is None else {"max_concurrent_bots": max_concurrent_bots}

    async def add(database: Database) -> tuple[User, int | None]:
        async with database.transaction() as connection:
            found, created = await users.find_or_create(connection, email, **limit)
            if created or max_concurrent_bots in (None, found.max_concurrent_bots):
                return found, None
            return await users.change_user(connection, found.id, **limit), found.max_concurrent_bots

    added, old_limit = execute(with_database(add))
    if old_limit is not None:
        typer.echo(f"{email} exists; its limit is now {added.max_concurrent_bots}, it was {old_limit}.", err=True)
    if as_json:
        output.print_json(output.user_json(added))
    else:
        typer.echo(added.id)


@user.command("remove")
def user_remove(
    email: Email,
    with_meetings: Annotated[
        bool, typer.Option("--with-meetings", help="Also delete the user's ended meetings and their history.")
    ] = False,
) -> None:
    """Delete a user and all of the user's keys; a user with a live meeting is kept."""

    async def remove(database: Database) -> Removed:
        async with database.transaction() as connection:
            return await user_removal.remove_user(connection, email, with_meetings=with_meetings)

    gone = execute(with_database(remove))
    typer.echo(f"Deleted the user {email}, {gone.keys} keys and {gone.meetings} meetings.")


@user.command("list")
def user_list(as_json: AsJson = False) -> None:
    """List users, their limits and how many bots they have now."""

    async def read(database: Database) -> list[User]:
        async with database.transaction() as connection:
            return await users.users(connection, limit=LIST_MAX)

    found = execute(with_database(read))
    if as_json:
        output.print_json([output.user_json(each) for each in found])
    else:
        output.print_users(found)


@user.command("set-limit")
def user_set_limit(
    email: Email,
    max_concurrent_bots: Annotated[int, typer.Argument(min=0, max=INT_MAX, help="The new limit; 0 allows none.")],
    as_json: AsJson = False,
) -> None:
    """Give a user another limit; lowering it stops no running bot."""

    async def change(database: Database) -> User:
        async with database.transaction() as connection:
            return await users.set_limit(connection, email, max_concurrent_bots=max_concurrent_bots)

    changed = execute(with_database(change))
    if as_json:
        output.print_json(output.user_json(changed))
    else:
        output.print_users([changed])


@token.command("create")
def token_create(
    email: Email,
    name: Annotated[str | None, typer.Option(help="What the key is for.", callback=checked(Text))] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do: bot, tx, browser. None: everything.", callback=checked(fields.Scopes)),
    ] = None,
    expires_in_s: Annotated[
        float | None, typer.Option("--expires-in", min=1, max=INT_MAX, help="It ends after so many seconds.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a key for a user; prints it, this once."""

    async def create(database: Database) -> tuple[Token, str]:
        async with database.transaction() as connection:
            user_id = await users.user_id_by_email(connection, email)
            return await api_tokens.create_token(
                connection, user_id, name=name, scopes=scope, expires_in_s=expires_in_s
            )

    created, secret = execute(with_database(create))
    if as_json:
        output.print_json(output.token_json(created) | {"token": secret})
    else:
        typer.echo(secret)


@token.command("list")
def token_list(email: Email, as_json: AsJson = False) -> None:
    """List a user's keys, without their secrets."""

    async def read(database: Database) -> list[Token]:
        async with database.transaction() as connection:
            return await api_tokens.tokens_of(connection, await users.user_id_by_email(connection, email))

    found = execute(with_database(read))
    if as_json:
        output.print_json([output.token_json(each) for each in found])
    else:
        output.print_tokens(found)


@token.command("revoke")
def token_revoke(
    token_id: Annotated[int, typer.Argument(min=1, max=INT_MAX, help="The key's id, as in `usher token list`.")],
) -> None:
    """Revoke a key; it stops working within seconds."""

    async def revoke(database: Database) -> None:
        async with database.transaction() as connection:
            await api_tokens.revoke_token(connection, token_id)

    execute(with_database(revoke))
    typer.echo(f"Token {token_id} is revoked.")
