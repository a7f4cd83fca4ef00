"""`gradioapp version`."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

import typer


def version() -> None:
    """Say which version this is, of what on what."""
    typer.echo(
        f"gradioapp {_version('gradioapp')} (Gradio {_version('gradio')}, Python {platform.python_version()})"
    )


def _version(distribution: str) -> str:
    try:
        return version_of(distribution)
    except PackageNotFoundError:
        return "not installed"
