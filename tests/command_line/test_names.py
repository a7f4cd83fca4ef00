"""Our package names next to modules with the same names: PyPI's `entrypoints`, and modules of an author."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import pytest

import entrypoints
from gradioapp import _names
from tests.processes import ROOT, Process

NEEDS_PYPI: Final = """
import entrypoints
import papermill
import gradio as gr

from gradioapp import current_user

with gr.Blocks() as demo:
    gr.Markdown(f"{len(entrypoints.get_group_all('console_scripts')) > 0}")
"""


def _uv(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    uv = shutil.which("uv")
    assert uv is not None, "This test needs uv, which runs the tests."
    return subprocess.run(
        [uv, *arguments], cwd=folder, capture_output=True, text=True, timeout=150, check=False
    )


@pytest.mark.server
def test_the_command_finds_its_own_packages_next_to_papermill(folder: Path) -> None:
    printed = _uv(
        "run", "--project", str(ROOT), "--with", "papermill", "gradioapp", "version", folder=folder
    )

    assert printed.stdout.startswith("gradioapp "), printed.stderr


@pytest.mark.server
def test_an_app_that_imports_papermill_is_served(
    folder: Path, start: Callable[..., Process]
) -> None:
    (folder / "app.py").write_text(NEEDS_PYPI)
    found = _uv(
        "run", "--project", str(ROOT), "--with", "papermill",
        "python", "-c", "import papermill; print(papermill.__path__[0])", folder=folder,
    )  # fmt: skip
    papermills = Path(found.stdout.strip()).parent  # First on the path, like uv puts it.
    process = start("gradioapp", "serve", "--app", "app.py", "--port", "0", code=papermills)

    address = process.hears(r"Serving at (\S+)")[1]

    assert httpx.get(f"{address}/healthz").status_code == 200


@pytest.mark.server
def test_papermill_works_in_a_project_that_has_our_wheel(folder: Path) -> None:
    built = _uv("build", "--wheel", "--out-dir", str(folder), str(ROOT), folder=folder)
    [wheel] = folder.glob("*.whl")
    code = (
        "import papermill, entrypoints; print(entrypoints.get_group_all('papermill.engine'));"
        "from gradioapp import User; print(User.__module__)"
    )

    printed = _uv(
        "run", "--no-project", "--with", str(wheel), "--with", "papermill", "python", "-c", code,
        folder=folder,
    )  # fmt: skip

    assert printed.stdout.splitlines() == ["[]", "entrypoints.ui.calls.views"], (
        built.stderr + printed.stderr
    )


def test_an_attribute_that_neither_package_has_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="part of gradioapp"):
        entrypoints.nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", ["domain", "application", "adapters", "migrations"])
def test_a_script_next_to_a_module_named_like_ours_is_told_to_rename_it(
    name: str, folder: Path
) -> None:
    (folder / f"{name}.py").write_text("x = 1\n")
    (folder / "app.py").write_text("from gradioapp import current_user\n")

    run = subprocess.run(
        [sys.executable, "app.py"], cwd=folder, capture_output=True, text=True, check=False
    )

    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.startswith(
        f"ImportError: {folder / name}.py has the name of a package of gradioapp"
    )
    assert last.endswith("Rename it.")


def test_a_module_of_an_author_that_was_imported_earlier_is_named(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "domain.py").write_text("x = 1\n")
    code = f"import sys; sys.path.insert(1, {str(elsewhere)!r}); import domain, gradioapp"

    run = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )

    assert f"ImportError: {elsewhere / 'domain.py'} has the name" in run.stderr


def test_the_list_of_our_packages_is_complete() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert packages - {"gradioapp", "tests", "benchmarks"} == set(_names.OURS)
