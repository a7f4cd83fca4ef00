"""`gradioapp serve`: from an empty folder to a page that asks for the first admin."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from entrypoints.cli.operating import make_ready, settings_now
from entrypoints.cli.program import Fault

if TYPE_CHECKING:
    from application.settings import Settings

BACKLOG: Final = 2048
"""Connections that the system completes before we accept them."""
_WATCHED: Final = ("domain", "application", "adapters", "entrypoints", "migrations")


def serve(
    app: Annotated[
        list[str] | None,
        typer.Option(
            help="An app of your own, FILE.py:NAME or module:NAME (NAME is demo when left out). Several are named one by one."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0 takes a free one. [8080]")
    ] = None,
    reload: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--reload", help="Start again when a Python file changes; dev only.")
    ] = False,
    sample_users: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--sample-users", help="Add john@test.com and jane@test.com; dev only.")
    ] = False,
    mcp: Annotated[  # noqa: FBT002 -- An option.
        bool, typer.Option("--mcp", help="Offer the apps' events to programs as MCP tools.")
    ] = False,
) -> None:
    """Run the service. What is typed here goes before the environment, and that before .env."""
    typed = {
        "apps": tuple(app) if app else None,
        "host": host,
        "port": port,
        "reload": reload or None,
        "sample_users": sample_users or None,
        "mcp": mcp or None,
    }
    overrides = {name: value for name, value in typed.items() if value is not None}
    from application.settings import OLD_DATA_DIR

    settings = settings_now(**overrides)
    if settings.reload and settings.environment == "test":
        raise Fault(
            "GRADIOAPP_ENVIRONMENT=test keeps everything in memory, and a reload forgets it. Set it to dev."
        )
    with listening(settings.host, settings.port) as listener:
        settings = settings.replaced(port=listener.getsockname()[1])
        if settings.uses_data_dir:
            typer.echo(f"Data is kept in {settings.data_dir.resolve()}")
            if settings.data_dir == OLD_DATA_DIR:
                typer.echo(
                    "This is the folder of earlier versions, which goes on being used. To move it, stop the service and type: "
                    "mv data gradioapp-data"
                )
            make_ready(settings)
        if settings.reload:
            _serve_reloading(settings, overrides, listener)
        else:
            _serve(settings, listener)


def listening(host: str, port: int) -> socket.socket:
    """Ours from here on, so that of two services starting at once one is refused; who connects before the service
    is up waits for it. Raises Fault."""
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Fault(
            f"{host} is no address of this machine. Type: gradioapp serve --host 127.0.0.1"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(name)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Fault(
            f"Port {port} of {host} cannot be had: {(error.strerror or str(error)).lower()}. "
            f"Type: gradioapp serve --port {port + 1 if 1024 <= port < 65535 else 8080}"
        ) from error
    listener.set_inheritable(True)
    return listener


def _serve(settings: "Settings", listener: socket.socket) -> None:
    from application.container import build
    from application.settings import quiet_gradio

    quiet_gradio(settings.data_dir if settings.uses_data_dir else None)

    from entrypoints import ui, web
    from entrypoints.app import create_app
    from entrypoints.cli.server import Announcement, Server, configured

    web.configure_logging(settings)
    container = build(settings)
    try:
        served = create_app(container)
    except ui.PageRefused as refused:
        raise Fault(str(refused)) from refused
    announcement = Announcement(settings=settings, offer_setup=container.use_cases().offer_setup)
    Server(configured(served), announcement).run(sockets=[listener])


def _serve_reloading(
    settings: "Settings", overrides: dict[str, Any], listener: socket.socket
) -> None:
    from uvicorn.supervisors import ChangeReload

    from application.settings import pass_on
    from entrypoints import ui
    from entrypoints.cli.server import Announcement, Server, configured, offer_setup_anew

    typed = {**overrides, "port": settings.port, "apps": ",".join(settings.apps)}
    pass_on({name: str(value) for name, value in typed.items() if value != ""})
    root = Path(__file__).parents[2]
    config = configured(
        "entrypoints.app:app_from_environment",
        factory=True,
        reload=True,
        reload_dirs=[
            *(str(root / folder) for folder in _WATCHED),
            *map(str, ui.folders_of(settings.apps)),
        ],
    )
    announcement = Announcement(settings=settings, offer_setup=offer_setup_anew)
    server = Server(config, announcement)
    ChangeReload(config, target=server.run, sockets=[listener]).run()
