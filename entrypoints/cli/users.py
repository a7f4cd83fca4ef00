"""`gradioapp users`: create, list and change accounts."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from domain.errors import NotAllowed, UserNotFound
from domain.model.user import User, canonical_email, checked_role, checked_roles
from entrypoints.cli.operating import OPERATOR, address, operate, settings_now
from entrypoints.cli.output import counted_tokens, minute, print_json, print_table
from entrypoints.cli.program import REFUSED, Fault

if TYPE_CHECKING:
    from application.use_cases import UseCases
    from application.use_cases.sessions import Ended

app = typer.Typer(help="Create, list and change accounts.")

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The account's e-mail address.")]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="admin, or a role of your own.")]
KeepTokens = Annotated[
    bool, typer.Option("--keep-tokens", help="Do not revoke the account's access tokens.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_PAGE: Final = 500


@app.command()
def create(
    email: Email,
    role: Annotated[list[str], typer.Option("--role", help="A role. May be repeated.")] = [],  # noqa: B006 -- typer copies it.
    name: Annotated[str, typer.Option("--name", help="The name to show.")] = "",
) -> None:
    """Create an account. The command asks for the password, or reads it from standard input."""
    canonical, roles = canonical_email(email), checked_roles(role)
    password = _new_password(f"users create {canonical}")

    async def work(use_cases: "UseCases") -> tuple[User, bool]:
        made = await use_cases.create_user(
            OPERATOR, email=canonical, name=name, password=password, roles=roles
        )
        return made, await use_cases.offer_setup() is not None

    user, needs_admin = operate(work)
    typer.echo(f"Created {user.email} ({user.name}), {_roles(user)}.")
    if needs_admin:
        typer.echo(f"There is no admin yet. Type: gradioapp users grant {user.email} admin")
    typer.echo(
        f"Next: start the service with gradioapp, then sign in at {address(settings_now())}/login"
    )


@app.command("list")
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002 -- An option.
    """List all accounts."""

    async def work(use_cases: "UseCases") -> list[User]:
        found: list[User] = []
        while True:
            after = found[-1].id if found else None
            page = await use_cases.list_users(OPERATOR, limit=_PAGE, after=after)
            found += page
            if len(page) < _PAGE:
                return found

    users = operate(work)
    if as_json:
        print_json([_as_json(user) for user in users])
    elif not users:
        typer.echo("There are no accounts yet. Type: gradioapp users create EMAIL --role admin")
    else:
        rows = [
            (user.email, user.name, ", ".join(sorted(user.roles)) or "-", _state(user))
            for user in users
        ]
        print_table(("E-MAIL", "NAME", "ROLES", "STATE"), rows)


@app.command()
def show(email: Email, as_json: AsJson = False) -> None:  # noqa: FBT002 -- An option.
    """Show one account."""

    async def work(use_cases: "UseCases") -> tuple[User, int]:
        user = await find_user(use_cases, email)
        return user, len(await use_cases.list_sessions(OPERATOR, user.id))

    user, sessions = operate(work)
    if as_json:
        print_json({**_as_json(user), "sessions": sessions})
        return
    rows = {
        "E-mail": user.email,
        "Name": user.name,
        "Roles": ", ".join(sorted(user.roles)) or "-",
        "State": _state(user),
        "Created": f"{minute(user.created_at)} UTC",
        "Changed": f"{minute(user.updated_at)} UTC",
        "Sessions": str(sessions),
        "Id": str(user.id),
    }
    for label, value in rows.items():
        typer.echo(f"{label:<10}{value}")


@app.command("set-password")
def set_password(email: Email, keep_tokens: KeepTokens = False) -> None:  # noqa: FBT002 -- An option.
    """Set a new password, and end the account's sessions and access tokens. The command asks for the password, or reads
    it from standard input."""
    canonical = canonical_email(email)
    operate(lambda use_cases: find_user(use_cases, canonical))
    password = _new_password(f"users set-password {canonical}")

    async def work(use_cases: "UseCases") -> "Ended":
        user = await find_user(use_cases, canonical)
        return await use_cases.set_password(
            OPERATOR, user.id, password, revokes_tokens=not keep_tokens
        )

    ended = operate(work)
    revoked = f" Revoked {counted_tokens(ended.tokens)}." if ended.tokens else ""
    typer.echo(f"{canonical} has a new password. All its sessions have ended.{revoked}")


@app.command()
def enable(email: Email) -> None:
    """Allow a disabled account to sign in again."""

    async def work(use_cases: "UseCases") -> User:
        return await use_cases.enable_user(OPERATOR, (await find_user(use_cases, email)).id)

    typer.echo(f"{operate(work).email} can sign in again.")


@app.command()
def disable(email: Email) -> None:
    """Disable an account: it can no longer sign in, and its sessions and access tokens end."""

    async def work(use_cases: "UseCases") -> User:
        return await use_cases.disable_user(OPERATOR, (await find_user(use_cases, email)).id)

    typer.echo(f"{operate(work).email} can no longer sign in. All its sessions have ended.")


@app.command()
def grant(email: Email, role: Role) -> None:
    """Grant a role to an account."""
    wanted = checked_role(role)

    async def work(use_cases: "UseCases") -> User:
        return await use_cases.grant_role(OPERATOR, (await find_user(use_cases, email)).id, wanted)

    user = operate(work)
    typer.echo(f"{user.email} has {_roles(user)}.")


@app.command()
def revoke(email: Email, role: Role) -> None:
    """Revoke a role of an account."""
    unwanted = checked_role(role)

    async def work(use_cases: "UseCases") -> User:
        return await use_cases.revoke_role(
            OPERATOR, (await find_user(use_cases, email)).id, unwanted
        )

    user = operate(work)
    typer.echo(f"{user.email} has {_roles(user)}.")


@app.command("break-glass")
def break_glass(
    email: Email,
    remove: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--remove", help="Take the mark from the account.")
    ] = False,
) -> None:
    """Let this admin, and nobody else, use a password where GRADIOAPP_PASSWORD_SIGN_IN is off."""

    async def work(use_cases: "UseCases") -> User:
        user = await find_user(use_cases, email)
        try:
            return await use_cases.mark_break_glass(OPERATOR, user.id, is_marked=not remove)
        except NotAllowed as error:
            raise Fault(error.sentence, code=REFUSED) from error

    user = operate(work)
    if remove:
        typer.echo(f"{user.email} is no break-glass account any more.")
    else:
        typer.echo(
            f"{user.email} is the only account that may use its password where passwords are switched off. "
            f"Its page is {address(settings_now())}/login?with=password"
        )


@app.command()
def unlink(email: Email) -> None:
    """Remove an account's links to identity providers. Its next sign-in there links it again."""

    async def work(use_cases: "UseCases") -> int:
        user = await find_user(use_cases, email)
        return await use_cases.unlink_identities(OPERATOR, user.id)

    removed = operate(work)
    typer.echo(f"Removed {'1 link' if removed == 1 else f'{removed} links'} to identity providers.")


async def find_user(use_cases: "UseCases", email: str) -> User:
    """Return the account. Raises Fault if there is none with this e-mail."""
    try:
        return await use_cases.find_user(OPERATOR, email)
    except UserNotFound as error:
        raise Fault(
            f"There is no user {canonical_email(email)}. To see all users, type: gradioapp users list. "
            f"To add one, type: gradioapp users create EMAIL",
            code=REFUSED,
        ) from error


def _new_password(command: str) -> str:
    """Ask for a password twice, hidden, or read a line of standard input if it is not a terminal. It is never an
    argument, because other users of the machine can see arguments."""
    if sys.stdin.isatty():
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return password
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError as error:
        raise Fault("The password on standard input is not UTF-8.") from error
    if not line:
        raise Fault(
            f"There is no password on standard input. Use a terminal, or type: gradioapp {command} < FILE"
        )
    return line.removesuffix("\n").removesuffix("\r")


def _roles(user: User) -> str:
    if not user.roles:
        return "no roles"
    return f"{'role' if len(user.roles) == 1 else 'roles'} {', '.join(sorted(user.roles))}"


def _state(user: User) -> str:
    if not user.is_active:
        return "disabled"
    if user.is_break_glass:
        return "break-glass"
    return "active" if user.password_hash is not None else "no password"


def _as_json(user: User) -> dict[str, Any]:
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "roles": sorted(user.roles),
        "is_active": user.is_active,
        "has_password": user.password_hash is not None,
        "is_break_glass": user.is_break_glass,
        "created_at": user.created_at.isoformat(),
        "updated_at": user.updated_at.isoformat(),
    }
