"""The `gradioapp` command: what the operator types. A bare `gradioapp` serves."""

import sys

import typer

from entrypoints.cli import check, db, serve, sessions, users, version
from entrypoints.cli.program import Program

app = typer.Typer(
    cls=Program,
    help="Users, sign-in, sessions and persistence around a Gradio app. Without a command it serves.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serve.serve)
app.add_typer(db.app, name="db")
app.add_typer(users.app, name="users")
app.add_typer(sessions.app, name="sessions")
app.command("check")(check.check)
app.command("version")(version.version)


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            # A name that the terminal cannot show is no reason to fail.
            reconfigure(errors="backslashreplace")
    app()
