"""`gradioapp users`: accounts, as the operator makes and changes them."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from domain.errors import UserNotFound
from domain.model.user import User, canonical_email, checked_role, checked_roles
from entrypoints.cli.operating import OPERATOR, address, operate, settings_now
from entrypoints.cli.output import minute, print_json, print_table
from entrypoints.cli.program import REFUSED, Fault

if TYPE_CHECKING:
    from application.use_cases import UseCases

app = typer.Typer(help="Make and change accounts.")

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The account's e-mail address.")]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="Such as admin, or a role of your own.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

_PAGE: Final = 500


@app.command()
def create(
    email: Email,
    role: Annotated[list[str], typer.Option("--role", help="May be repeated.")] = [],  # noqa: B006 -- typer copies it.
    name: Annotated[str, typer.Option("--name", help="Shown in greetings.")] = "",
) -> None:
    """Make an account. The password is asked for, or read from standard input."""
    canonical, roles = canonical_email(email), checked_roles(role)
    password = _new_password(f"users create {canonical}")

    async def work(use_cases: "UseCases") -> tuple[User, bool]:
        made = await use_cases.create_user(
            OPERATOR, email=canonical, name=name, password=password, roles=roles
        )
        return made, await use_cases.offer_setup() is not None

    user, needs_admin = operate(work)
    typer.echo(f"Made {user.email} ({user.name}), {_roles(user)}.")
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
        "Made": f"{minute(user.created_at)} UTC",
        "Changed": f"{minute(user.updated_at)} UTC",
        "Sessions": str(sessions),
        "Id": str(user.id),
    }
    for label, value in rows.items():
        typer.echo(f"{label:<10}{value}")


@app.command("set-password")
def set_password(email: Email) -> None:
    """Set a new password; the account's sessions end. It is asked for, or read from standard input."""
    canonical = canonical_email(email)
    operate(lambda use_cases: find_user(use_cases, canonical))
    password = _new_password(f"users set-password {canonical}")

    async def work(use_cases: "UseCases") -> None:
        user = await find_user(use_cases, canonical)
        await use_cases.set_password(OPERATOR, user.id, password)

    operate(work)
    typer.echo(f"{canonical} has a new password, and no session any more.")


@app.command()
def enable(email: Email) -> None:
    """Let a disabled account sign in again."""

    async def work(use_cases: "UseCases") -> User:
        return await use_cases.enable_user(OPERATOR, (await find_user(use_cases, email)).id)

    typer.echo(f"{operate(work).email} may sign in.")


@app.command()
def disable(email: Email) -> None:
    """Keep an account from signing in; its sessions end."""

    async def work(use_cases: "UseCases") -> User:
        return await use_cases.disable_user(OPERATOR, (await find_user(use_cases, email)).id)

    typer.echo(f"{operate(work).email} may not sign in, and has no session any more.")


@app.command()
def grant(email: Email, role: Role) -> None:
    """Give an account a role."""
    wanted = checked_role(role)

    async def work(use_cases: "UseCases") -> User:
        return await use_cases.grant_role(OPERATOR, (await find_user(use_cases, email)).id, wanted)

    user = operate(work)
    typer.echo(f"{user.email} has {_roles(user)}.")


@app.command()
def revoke(email: Email, role: Role) -> None:
    """Take a role from an account."""
    unwanted = checked_role(role)

    async def work(use_cases: "UseCases") -> User:
        return await use_cases.revoke_role(
            OPERATOR, (await find_user(use_cases, email)).id, unwanted
        )

    user = operate(work)
    typer.echo(f"{user.email} has {_roles(user)}.")


async def find_user(use_cases: "UseCases", email: str) -> User:
    """Raises Fault, naming the address and how to see those that exist."""
    try:
        return await use_cases.find_user(OPERATOR, email)
    except UserNotFound as error:
        raise Fault(
            f"There is no user {canonical_email(email)}. Type: gradioapp users list", code=REFUSED
        ) from error


def _new_password(command: str) -> str:
    """Typed twice and hidden at a terminal; else one line of standard input. Never an argument: others see those."""
    if sys.stdin.isatty():
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return password
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError as error:
        raise Fault("The password on standard input is not UTF-8.") from error
    if not line:
        raise Fault(
            f"There is no password on standard input. Type at a terminal, or: gradioapp {command} < FILE"
        )
    return line.removesuffix("\n").removesuffix("\r")


def _roles(user: User) -> str:
    if not user.roles:
        return "no roles"
    return f"{'role' if len(user.roles) == 1 else 'roles'} {', '.join(sorted(user.roles))}"


def _state(user: User) -> str:
    if not user.is_active:
        return "disabled"
    return "active" if user.password_hash is not None else "no password"


def _as_json(user: User) -> dict[str, Any]:
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "roles": sorted(user.roles),
        "is_active": user.is_active,
        "has_password": user.password_hash is not None,
        "created_at": user.created_at.isoformat(),
        "updated_at": user.updated_at.isoformat(),
    }
