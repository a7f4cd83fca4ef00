"""How the command answers: `serve` where no command is named, and one line for whatever goes wrong."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

USE: Final = 2
"""Exit code for what was typed or set wrong."""
REFUSED: Final = 1
"""Exit code for what was understood and refused."""

_HELP: Final = {"--help"}


class Fault(Exception):
    """Something the person at the command line can put right; one line each."""

    def __init__(self, *lines: str, code: int = USE) -> None:
        self.lines = lines
        self.code = code
        super().__init__("\n".join(lines))


class Program(TyperGroup):
    """The whole command. Never a traceback for what was typed, set, or is unreachable."""

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
            sys.exit(_say("Stopped: nothing was changed.", code=130))
        except TyperException as error:
            sys.exit(_say(_misuse(error), code=USE))
        except Exception as error:
            fault = _fault(error)
            if fault is None:
                raise
            sys.exit(_say(*fault.lines, code=fault.code))
        sys.exit(code if isinstance(code, int) else 0)


def _say(*lines: str, code: int) -> int:
    for line in lines:
        typer.echo(" ".join(line.split()), err=True)
    return code


def _with_command(args: Sequence[str]) -> list[str]:
    """`gradioapp --port 9000` is `gradioapp serve --port 9000`."""
    if not args or (args[0].startswith("-") and args[0] not in _HELP | {"--version"}):
        return ["serve", *args]
    return ["version", *args[1:]] if args[0] == "--version" else list(args)


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


def _fault(error: Exception) -> Fault | None:
    """The error in words for the person at the command line; None for a bug of ours."""
    from alembic.util import CommandError

    from application.settings import SettingsInvalid
    from domain.errors import DomainError, StoreUnavailable

    match error:
        case Fault():
            return error
        case SettingsInvalid():
            return Fault(*error.faults)
        case StoreUnavailable():
            return Fault(f"The database does not answer: {cause_of(error)}", code=REFUSED)
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
    """The first line of what the database's own library said: it names no password."""
    cause = error.__cause__
    original = getattr(cause, "orig", None) or cause
    lines = str(original or "").strip().splitlines()
    return lines[0] if lines else type(original or error).__name__
