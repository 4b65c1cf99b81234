"""`usher user` and `usher token`: who may have bots, how many at once, and with which keys."""

from dataclasses import asdict
from typing import Annotated

import typer

from usher_models.db import api_tokens, users
from usher_models.db.api_tokens import Token
from usher_models.db.engine import Database
from usher_models.db.users import User
from usher_operator.cli import output
from usher_operator.cli.runner import AsJson, run, with_database

user = typer.Typer(no_args_is_help=True, help="Users and their limits.")
token = typer.Typer(no_args_is_help=True, help="Keys of the API.")

Email = Annotated[str, typer.Argument(help="The user's e-mail address.")]
# What fits into the column.
LIMIT_MAX = 2**31 - 1
LIST_MAX = 10_000


@user.command("add")
def user_add(
    email: Email,
    max_concurrent_bots: Annotated[
        int,
        typer.Option("--max-concurrent-bots", "-n", min=0, max=LIMIT_MAX, help="The user's limit; 0 allows none."),
    ] = users.DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Create a user, or give an existing one another limit; prints the user's id."""

    async def add(database: Database) -> User:
        async with database.transaction() as connection:
            user_id = await users.add_user(connection, email, max_concurrent_bots=max_concurrent_bots)
            return await users.user_by_id(connection, user_id)

    added = run(with_database(add))
    if as_json:
        output.print_json(output.public_user(added))
    else:
        typer.echo(added.id)


@user.command("list")
def user_list(as_json: AsJson = False) -> None:
    """List users, their limits and how many bots they have now."""

    async def read(database: Database) -> list[User]:
        async with database.transaction() as connection:
            return await users.users(connection, limit=LIST_MAX)

    found = run(with_database(read))
    if as_json:
        output.print_json([output.public_user(each) for each in found])
    else:
        output.print_users(found)


@user.command("set-limit")
def user_set_limit(
    email: Email,
    max_concurrent_bots: Annotated[int, typer.Argument(min=0, max=LIMIT_MAX, help="The new limit; 0 allows none.")],
    as_json: AsJson = False,
) -> None:
    """Give a user another limit; lowering it stops no running bot."""

    async def change(database: Database) -> User:
        async with database.transaction() as connection:
            return await users.set_limit(connection, email, max_concurrent_bots=max_concurrent_bots)

    changed = run(with_database(change))
    if as_json:
        output.print_json(output.public_user(changed))
    else:
        output.print_users([changed])


@token.command("create")
def token_create(
    email: Email,
    name: Annotated[str | None, typer.Option(help="What the key is for.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="What it may do: bot, tx, browser. None: everything.")] = None,
    expires_in_s: Annotated[
        float | None, typer.Option("--expires-in", min=1, help="It ends after so many seconds.")
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

    created, secret = run(with_database(create))
    if as_json:
        output.print_json(asdict(created) | {"token": secret})
    else:
        typer.echo(secret)


@token.command("list")
def token_list(email: Email, as_json: AsJson = False) -> None:
    """List a user's keys, without their secrets."""

    async def read(database: Database) -> list[Token]:
        async with database.transaction() as connection:
            return await api_tokens.tokens_of(connection, await users.user_id_by_email(connection, email))

    found = run(with_database(read))
    if as_json:
        output.print_json([asdict(each) for each in found])
    else:
        output.print_tokens(found)


@token.command("revoke")
def token_revoke(
    token_id: Annotated[int, typer.Argument(min=1, max=LIMIT_MAX, help="The key's id, as in `usher token list`.")],
) -> None:
    """Revoke a key; it stops working within seconds."""

    async def revoke(database: Database) -> None:
        async with database.transaction() as connection:
            await api_tokens.revoke_token(connection, token_id)

    run(with_database(revoke))
    typer.echo(f"Token {token_id} is revoked.")
