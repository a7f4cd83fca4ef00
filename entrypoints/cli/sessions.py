"""`gradioapp sessions`: list and end sessions."""

from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import typer

from domain.errors import SessionNotFound
from domain.model.session import Session, SessionId
from domain.model.user import User
from entrypoints.cli.operating import OPERATOR, operate
from entrypoints.cli.output import counted_tokens, minute, print_json, print_table
from entrypoints.cli.program import REFUSED, Fault
from entrypoints.cli.users import KeepTokens, find_user

if TYPE_CHECKING:
    from application.use_cases import UseCases
    from application.use_cases.sessions import Ended

app = typer.Typer(help="List and end sessions.")

_PAGE: Final = 500
_NOTICED: Final = "A running service notices this within seconds."


@app.command("list")
def list_(
    email: Annotated[
        str | None, typer.Argument(metavar="[EMAIL]", help="Only the sessions of this account.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 -- An option.
) -> None:
    """List the sessions of all accounts, or of one account."""

    async def work(use_cases: "UseCases") -> list[tuple[Session, User]]:
        # Otherwise expired sessions would be listed until the next hourly purge.
        await use_cases.purge_sessions()
        if email is None:
            return await _all(use_cases)
        user = await find_user(use_cases, email)
        return [(session, user) for session in await use_cases.list_sessions(OPERATOR, user.id)]

    found = operate(work)
    if as_json:
        print_json([_as_json(session, user) for session, user in found])
    elif not found:
        typer.echo(f"{email or 'Nobody'} is {'not ' if email else ''}signed in.")
    else:
        rows = [
            (
                str(session.id),
                user.email,
                minute(session.created_at),
                minute(session.seen_at),
                session.device.address or "-",
                session.device.agent[:60] or "-",
            )
            for session, user in found
        ]
        print_table(("ID", "E-MAIL", "SIGNED IN (UTC)", "LAST SEEN (UTC)", "FROM", "WITH"), rows)


@app.command()
def end(
    session_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="The id that gradioapp sessions list shows.")
    ],
) -> None:
    """End one session."""

    async def work(use_cases: "UseCases") -> None:
        try:
            await use_cases.revoke_session(OPERATOR, SessionId(session_id))
        except SessionNotFound as error:
            raise Fault(f"{error.sentence} Type: gradioapp sessions list", code=REFUSED) from error

    operate(work)
    typer.echo(f"Ended. {_NOTICED}")


@app.command("end-all")
def end_all(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The account's e-mail address.")],
    keep_tokens: KeepTokens = False,  # noqa: FBT002 -- An option.
) -> None:
    """End everything of an account: all its sessions, and its access tokens."""

    async def work(use_cases: "UseCases") -> "Ended":
        user = await find_user(use_cases, email)
        return await use_cases.revoke_all_sessions(
            OPERATOR, user.id, revokes_tokens=not keep_tokens
        )

    ended = operate(work)
    revoked = f" Revoked {counted_tokens(ended.tokens)}." if ended.tokens else ""
    typer.echo(f"Ended {_count(ended.sessions)}.{revoked} {_NOTICED}")


@app.command()
def purge() -> None:
    """Remove expired sessions. A running service does this once an hour."""

    async def work(use_cases: "UseCases") -> int:
        return await use_cases.purge_sessions()

    typer.echo(f"Removed {_count(operate(work))}.")


async def _all(use_cases: "UseCases") -> list[tuple[Session, User]]:
    found: list[tuple[Session, User]] = []
    while True:
        after = found[-1][0].id if found else None
        page = await use_cases.list_all_sessions(OPERATOR, limit=_PAGE, after=after)
        found += page
        if len(page) < _PAGE:
            return found


def _count(sessions: int) -> str:
    return "1 session" if sessions == 1 else f"{sessions} sessions"


def _as_json(session: Session, user: User) -> dict[str, Any]:
    return {
        "id": str(session.id),
        "email": user.email,
        "created_at": session.created_at.isoformat(),
        "seen_at": session.seen_at.isoformat(),
        "ends_at": session.ends_at.isoformat(),
        "address": session.device.address,
        "agent": session.device.agent,
    }
