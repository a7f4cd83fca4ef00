"""Environment variables. Only this file reads or sets them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Final

PREFIX: Final = "GRADIOAPP_"
_FILES: Final = "GRADIO_TEMP_DIR"
_EXAMPLES: Final = "GRADIO_EXAMPLES_CACHE"


def names() -> frozenset[str]:
    """Return the names of all variables."""
    return frozenset(os.environ)


def value(name: str) -> str:
    """Return a variable's value, or an empty text if it is not set."""
    return os.environ.get(name, "")


def gradio_folder() -> Path:
    """Return Gradio's folder for files: the one in the environment, or Gradio's default."""
    return Path(value(_FILES) or Path(gettempdir()) / "gradio")


def pass_on(values: Mapping[str, str]) -> None:
    """Set environment variables, so that the processes of a reloading server get the command line's settings."""
    os.environ.update({f"{PREFIX}{name.upper()}": value for name, value in values.items()})


def quiet_gradio(data_dir: Path | None) -> None:
    """Turn off Gradio's telemetry, and put its files into the data folder. Call it before importing Gradio."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if data_dir is not None:
        os.environ[_FILES] = str(data_dir.resolve() / "gradio")
        os.environ[_EXAMPLES] = str(data_dir.resolve() / "examples")


@contextmanager
def examples_kept_in(folder: str) -> Iterator[None]:
    """Within the block, make Gradio cache the outputs of examples in this subfolder of its usual folder."""
    before = os.environ.get(_EXAMPLES)
    os.environ[_EXAMPLES] = str(Path(before or ".gradio/cached_examples") / folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_EXAMPLES]
        else:
            os.environ[_EXAMPLES] = before
