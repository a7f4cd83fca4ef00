"""`gradioapp tokens`: list and revoke access tokens. Only their owners make them, in a browser."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from domain.errors import AccessTokenNotFound
from domain.model.access_token import AccessToken, AccessTokenId
from entrypoints.cli.operating import OPERATOR, operate
from entrypoints.cli.output import counted_tokens, minute, print_json, print_table
from entrypoints.cli.program import REFUSED, Fault
from entrypoints.cli.users import AsJson, Email, find_user

if TYPE_CHECKING:
    from application.use_cases import UseCases

app = typer.Typer(help="List and revoke access tokens.")


@app.command("list")
def list_(email: Email, as_json: AsJson = False) -> None:  # noqa: FBT002 -- An option.
    """List the access tokens of an account."""

    async def work(use_cases: "UseCases") -> Sequence[AccessToken]:
        user = await find_user(use_cases, email)
        return await use_cases.list_tokens_of(OPERATOR, user.id)

    tokens = operate(work)
    if as_json:
        print_json([_as_json(token) for token in tokens])
    elif not tokens:
        typer.echo(f"{email} has no access token.")
    else:
        print_table(
            ("ID", "NAME", "ENDS IN", "ROLES", "CREATED (UTC)", "EXPIRES (UTC)", "LAST USED (UTC)"),
            [_row(token) for token in tokens],
        )


@app.command()
def revoke(
    token_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="The id that gradioapp tokens list shows.")
    ],
) -> None:
    """Revoke one access token."""

    async def work(use_cases: "UseCases") -> AccessToken:
        try:
            return await use_cases.revoke_token(OPERATOR, AccessTokenId(token_id))
        except AccessTokenNotFound as error:
            raise Fault(
                f"{error.sentence} Type: gradioapp tokens list EMAIL", code=REFUSED
            ) from error

    typer.echo(f"Revoked {operate(work).name}. A running service notices this within seconds.")


@app.command("revoke-all")
def revoke_all(email: Email) -> None:
    """Revoke all access tokens of an account. Its sessions stay."""

    async def work(use_cases: "UseCases") -> int:
        user = await find_user(use_cases, email)
        return await use_cases.revoke_all_tokens(OPERATOR, user.id)

    typer.echo(
        f"Revoked {counted_tokens(operate(work))}. A running service notices this within seconds."
    )


def _row(token: AccessToken) -> tuple[str, ...]:
    roles = "all" if token.roles is None else ", ".join(sorted(token.roles)) or "-"
    return (
        str(token.id),
        token.name,
        f"…{token.hint}",
        roles,
        minute(token.created_at),
        minute(token.expires_at),
        "never" if token.last_used_at is None else minute(token.last_used_at),
    )


def _as_json(token: AccessToken) -> dict[str, Any]:
    return {
        "id": str(token.id),
        "name": token.name,
        "hint": token.hint,
        "roles": None if token.roles is None else sorted(token.roles),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
    }
