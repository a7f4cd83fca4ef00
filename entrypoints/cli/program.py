"""Run `serve` if no command is named, and print each error in one line."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

USE: Final = 2
"""Exit code for wrong arguments or settings."""
REFUSED: Final = 1
"""Exit code for a valid command that is refused or fails."""

_HELP: Final = {"--help"}


class Fault(Exception):
    """Errors that the operator can correct, one line each."""

    def __init__(self, *lines: str, code: int = USE) -> None:
        self.lines = lines
        self.code = code
        super().__init__("\n".join(lines))


class Program(TyperGroup):
    """The `gradioapp` command. Prints no traceback for wrong arguments, wrong settings or an unreachable database."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 -- The library's signature.
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 -- The library's signature.
        **extra: Any,
    ) -> Any:
        del prog_name, standalone_mode
        typed = _with_command(sys.argv[1:] if args is None else args)
        try:
            code = super().main(
                typed,
                "gradioapp",
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except Abort:
            sys.exit(_print_error("Stopped. Nothing was changed.", code=130))
        except TyperException as error:
            sys.exit(_print_error(_misuse(error), code=USE))
        except Exception as error:
            fault = fault_of(error)
            if fault is None:
                raise
            sys.exit(_print_error(*fault.lines, code=fault.code))
        sys.exit(code if isinstance(code, int) else 0)


def _print_error(*lines: str, code: int) -> int:
    """Print the lines to standard error, and return the exit code."""
    for line in lines:
        typer.echo(" ".join(line.split()), err=True)
    return code


def _with_command(args: Sequence[str]) -> list[str]:
    """Add the default command: `gradioapp --port 9000` means `gradioapp serve --port 9000`."""
    if not args or (args[0].startswith("-") and args[0] not in _HELP | {"--version"}):
        return _without_those_of_apps(["serve", *args])
    return ["version", *args[1:]] if args[0] == "--version" else _without_those_of_apps(args)


def _without_those_of_apps(typed: Sequence[str]) -> list[str]:
    """Leave out what stands after `--`: those are the arguments of the apps."""
    is_for_apps = typed[0] in {"serve", "check"} and "--" in typed
    return list(typed[: typed.index("--")] if is_for_apps else typed)


def _misuse(error: TyperException) -> str:
    said = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return said
    commands: Mapping[str, object] = getattr(context.command, "commands", {})
    if "Did you mean" in said:
        return said
    if said == "Missing command.":
        return f"{context.command_path} needs a command. Type one of: {', '.join(commands)}"
    if said.startswith("No such command"):
        return f"{said} Type one of: {', '.join(commands)}"
    return f"{said.rstrip('.')}. Type: {context.command_path} --help"


def fault_of(error: Exception) -> Fault | None:
    """Return the error in words for the operator, or None for a bug of ours."""
    from alembic.util import CommandError

    from adapters.sql.ownership import NotOurDatabase
    from application.settings import SettingsInvalid
    from domain.errors import DomainError, StoreUnavailable

    match error:
        case Fault():
            return error
        case SettingsInvalid():
            return Fault(*error.faults)
        case NotOurDatabase():
            return Fault(str(error))
        case StoreUnavailable():
            return Fault(f"The database is unavailable: {cause_of(error)}", code=REFUSED)
        case DomainError():
            return Fault(error.sentence, code=REFUSED)
        case CommandError():
            return Fault(
                f"{error}. The database may be newer than this code. Type: gradioapp db current"
            )
        case PermissionError() if error.filename is None:
            return Fault(str(error))
        case OSError():
            return Fault(f"{error.filename or 'The system'}: {error.strerror or error}")
    return None


def cause_of(error: Exception) -> str:
    """Return the first line of the database library's message, which contains no password."""
    cause = error.__cause__
    original = getattr(cause, "orig", None) or cause
    lines = str(original or "").strip().splitlines()
    return lines[0] if lines else type(original or error).__name__
