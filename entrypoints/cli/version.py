"""`gradioapp version`: print versions."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

import typer


def version() -> None:
    """Print the versions of gradioapp, Gradio and Python."""
    typer.echo(
        f"gradioapp {installed('gradioapp')} (Gradio {installed('gradio')}, Python {platform.python_version()})"
    )


def installed(distribution: str) -> str:
    """Return the version of a distribution."""
    try:
        return version_of(distribution)
    except PackageNotFoundError:
        return "not installed"
