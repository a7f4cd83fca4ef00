"""`gradioapp serve`: start the service. In an empty folder, make everything that it needs."""

import socket
from typing import TYPE_CHECKING, Annotated, Final

import typer

from entrypoints.cli.operating import make_ready, settings_now
from entrypoints.cli.program import Fault

if TYPE_CHECKING:
    from application.container import Composition
    from application.settings import Settings
    from entrypoints.cli.server import Announces

BACKLOG: Final = 2048
"""Connections that wait in the system's queue until we accept them."""
MOST_WORKERS: Final = 64
"""As the setting WORKERS has it. Here, because the settings are heavy to import."""


def serve(
    app: Annotated[
        list[str] | None,
        typer.Option(
            help="An app of your own, FILE.py:NAME or module:NAME. NAME is demo by default. May be repeated."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one. [8080]")
    ] = None,
    reload: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--reload", help="Restart when a Python file changes; dev only.")
    ] = False,
    sample_users: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--sample-users", help="Add john@test.com and jane@test.com; dev only.")
    ] = False,
    mcp: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--mcp", help="Offer the apps' events to programs as MCP tools.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_WORKERS,
            help="Processes that serve; more than one needs PostgreSQL. [1]",
        ),
    ] = None,
) -> None:
    """Run the service. Options override environment variables, and those override .env."""
    typed = {
        "apps": tuple(app) if app else None,
        "host": host,
        "port": port,
        "reload": reload or None,
        "sample_users": sample_users or None,
        "mcp": mcp or None,
        "workers": workers,
    }
    overrides = {name: value for name, value in typed.items() if value is not None}
    from application.settings import OLD_DATA_DIR

    settings = settings_now(**overrides)
    if settings.reload and settings.environment == "test":
        raise Fault(
            "With GRADIOAPP_ENVIRONMENT=test, all data is in memory, and a reload would lose it. Set it to dev."
        )
    with listening(settings.host, settings.port) as listener:
        settings = settings.replaced(port=listener.getsockname()[1])
        if settings.uses_data_dir:
            typer.echo(f"Data is kept in {settings.data_dir.resolve()}")
            if settings.data_dir == OLD_DATA_DIR.absolute():
                typer.echo(
                    "This is the folder of earlier versions; it is still used. To move it, stop the service and type: "
                    "mv data gradioapp-data"
                )
            from adapters.sql.engine import name_of

            typer.echo(f"The database is {name_of(settings.database)}")
        from application.container import build

        container = build(settings)
        if settings.uses_data_dir:
            make_ready(container)
        if settings.workers > 1:
            from entrypoints.cli.workers import serve_with_workers

            serve_with_workers(settings, overrides, listener, container)
        elif settings.reload:
            from entrypoints.cli.reloading import serve_reloading

            serve_reloading(settings, overrides, listener)
        else:
            from entrypoints.cli.announcement import Announcement

            serve_at(container, listener, Announcement(settings=settings))


def listening(host: str, port: int) -> socket.socket:
    """Open the listening socket early, so that the second of two services fails at once. Clients that connect before
    the service has started wait for it. Raises Fault."""
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Fault(
            f"{host} is not an address of this machine. Type: gradioapp serve --host 127.0.0.1"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(name)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Fault(
            f"Port {port} of {host} is not available: {(error.strerror or str(error)).lower()}. "
            f"Type: gradioapp serve --port {port + 1 if 1024 <= port < 65535 else 8080}"
        ) from error
    listener.set_inheritable(True)
    return listener


def serve_at(container: "Composition", listener: socket.socket, announcement: "Announces") -> None:
    """Serve at the socket until a signal ends the process. Raises Fault."""
    from application.settings import quiet_gradio

    settings: Settings = container.settings()
    quiet_gradio(settings.data_dir if settings.uses_data_dir else None)

    from entrypoints import ui, web
    from entrypoints.app import create_app
    from entrypoints.cli.server import Server, configured
    from entrypoints.cli.startup import Startup

    web.configure_logging(settings)
    try:
        served = create_app(container)
    except ui.PageRefused as refused:
        raise Fault(str(refused)) from refused
    Server(configured(Startup(served)), announcement).run(sockets=[listener])
