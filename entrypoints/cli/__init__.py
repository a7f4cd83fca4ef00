"""The `gradioapp` command for operators. Without a subcommand, it serves."""

import typer

from entrypoints.cli import (
    backup,
    check,
    db,
    files,
    restore,
    serve,
    sessions,
    tokens,
    users,
    version,
)
from entrypoints.cli.output import show_all_characters
from entrypoints.cli.program import Program

app = typer.Typer(
    cls=Program,
    help="Users, sign-in, sessions and persistence around a Gradio app. Without a command, it starts the service.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serve.serve)
app.add_typer(db.app, name="db")
app.add_typer(users.app, name="users")
app.add_typer(sessions.app, name="sessions")
app.add_typer(tokens.app, name="tokens")
app.add_typer(files.app, name="files")
app.command("check")(check.check)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.command("version")(version.version)


def main() -> None:
    show_all_characters()
    app()
