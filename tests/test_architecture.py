"""Imports between packages, the entrances of time and chance, and the names of our packages are checked in the code."""

import ast
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Final

import grimp
import pytest
from grimp import ImportGraph
from importlinter import Contract
from importlinter import cli as importlinter
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract

from application.settings import ProviderSettings, Settings
from application.settings.oidc import KEYS

ROOT: Final = Path(__file__).parents[1]
PYPROJECT: Final = ROOT / "pyproject.toml"
OURS: Final = ("gradioapp", "domain", "application", "adapters", "entrypoints", "migrations")

CONTRACTS: Final[list[dict[str, Any]]] = tomllib.loads(PYPROJECT.read_text())["tool"][
    "importlinter"
]["contracts"]

BREACHES: Final[dict[str, list[tuple[str, str | None]]]] = {
    "layers": [
        ("application.use_cases.users", "application.container"),
        ("application.use_cases.users", "application.settings"),
        ("application.use_cases.users", "adapters.memory.store"),
        ("application.settings", "adapters.system.clock"),
        ("adapters.system.clock", "application.settings"),
        ("domain.ports.system", "domain.services.auth"),
        ("domain.model.user", "domain.ports.system"),
        ("domain.errors", "domain.model.user"),
        ("entrypoints.access", "entrypoints.web"),
        ("entrypoints.looks", "entrypoints.web"),
        ("entrypoints.looks", "entrypoints.access"),
        ("entrypoints.metrics", "entrypoints.web"),
        ("entrypoints.metrics", "entrypoints.access"),
        ("entrypoints.tracing", "entrypoints.access"),
        ("entrypoints.web", "entrypoints.ui.sdk"),
        ("entrypoints.ui.sdk", "entrypoints.web"),
        ("entrypoints.web", "entrypoints.app"),
        ("entrypoints.web", "entrypoints.background"),
        ("entrypoints.background", "entrypoints.ui.sdk"),
        ("entrypoints.jobs", "entrypoints.app"),
        ("entrypoints.ui.sdk", "entrypoints.jobs"),
        ("entrypoints.background", "entrypoints.jobs"),
        ("entrypoints.app", "entrypoints.cli"),
        ("entrypoints.app", "entrypoints.testing"),
        ("entrypoints.cli", "gradioapp"),
        ("entrypoints.ui.sdk", "gradioapp"),
        ("entrypoints.cli", "entrypoints.testing"),
        ("application.container", "entrypoints.app"),
    ],
    "domain-whole": [("domain.newcomer", None)],
    "application-whole": [("application.newcomer", None)],
    "entrypoints-whole": [("entrypoints.newcomer", None)],
    "rooms": [
        ("entrypoints.ui.newcomer", None),
        ("entrypoints.ui.mcp.server", "entrypoints.ui.mounting"),
        ("entrypoints.ui.isolation.request", "entrypoints.ui.mcp.server"),
        ("entrypoints.ui.files.app_files", "entrypoints.ui.isolation.request"),
        ("entrypoints.ui.delivery.document", "entrypoints.ui.pages.home"),
        ("entrypoints.ui.apps.loading", "entrypoints.ui.delivery.document"),
        ("entrypoints.ui.sdk.roles", "entrypoints.ui.apps.loading"),
        ("entrypoints.ui.queueing.turns", "entrypoints.ui.sdk.roles"),
        ("entrypoints.ui.wire.json_bodies", "entrypoints.ui.sdk.roles"),
        ("entrypoints.ui.calls.call", "entrypoints.ui.wire.json_bodies"),
        ("entrypoints.ui.limits", "entrypoints.ui.calls.call"),
        ("entrypoints.ui.full_disk", "entrypoints.ui.limits"),
    ],
    "adapters-apart": [
        ("adapters.sql.engine", "adapters.system.clock"),
        ("adapters.memory.store", "adapters.sql.rows"),
        ("adapters.security.signed_tokens", "adapters.system.ids"),
    ],
    "edges-speak-to-use-cases": [
        (edge, beyond)
        for edge in (
            "entrypoints.web",
            "entrypoints.ui.sdk",
            "entrypoints.jobs",
            "entrypoints.background",
            "entrypoints.access",
            "entrypoints.metrics",
        )
        for beyond in (
            "application.container",
            "adapters.system.clock",
            "domain.services.auth",
            "domain.ports.system",
            "migrations",
        )
    ],
    "injector-in-one-file": [
        (importer, "dependency_injector")
        for importer in ("entrypoints.app", "application.settings", "adapters.sql.engine")
    ],
    "gradio-in-one-place": [
        ("entrypoints.web", "gradio"),
        ("entrypoints.cli.users", "gradio"),
        ("entrypoints.jobs", "gradio"),
        ("entrypoints.background", "gradio"),
    ],
    "prometheus-in-one-place": [
        (importer, "prometheus_client")
        for importer in (
            "entrypoints.web",
            "entrypoints.ui.sdk",
            "entrypoints.app",
            "entrypoints.jobs",
        )
    ],
    "opentelemetry-in-one-place": [
        (importer, "opentelemetry")
        for importer in (
            "entrypoints.web",
            "entrypoints.ui.queueing.counting",
            "entrypoints.app",
            "entrypoints.replicas",
        )
    ],
    "migrations-see-the-rows": [("migrations.env", "application.container")],
}
"""Breaches that each contract must notice: an import, or None for a new module. `breaches` adds
those for lists of frameworks."""


def breaches() -> Iterator[tuple[str, str, str | None]]:
    for contract, imports in BREACHES.items():
        for importer, imported in imports:
            yield contract, importer, imported
    for contract, importer in (
        ("no-framework-inside", "domain.model.user"),
        ("no-framework-inside", "application.use_cases.users"),
        ("no-storage-at-the-edges", "entrypoints.web"),
        ("no-storage-at-the-edges", "entrypoints.jobs"),
        ("no-web-in-adapters", "adapters.system.clock"),
    ):
        for framework in _contract(contract)["forbidden_modules"]:
            yield contract, importer, framework


def _contract(name: str) -> dict[str, Any]:
    return next(contract for contract in CONTRACTS if contract["id"] == name)


KINDS: Final[dict[str, type[Contract]]] = {
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
    "layers": LayersContract,
}


@pytest.fixture(scope="module")
def graph() -> ImportGraph:
    return grimp.build_graph(*OURS, include_external_packages=True, cache_dir=None)


def _is_kept(graph: ImportGraph, name: str) -> bool:
    options = _contract(name)
    contract = KINDS[options["type"]](
        name=options["name"],
        session_options={"root_packages": list(OURS), "include_external_packages": "True"},
        # Pass the options like import-linter's own TOML reader does.
        contract_options={k: str(v) if isinstance(v, bool) else v for k, v in options.items()},
    )
    return contract.check(graph, verbose=False).kept


def test_no_package_imports_from_a_layer_above_or_a_sibling(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = importlinter.lint_imports(
        config_filename=str(PYPROJECT), no_cache=True, no_logo=True, is_debug_mode=True
    )

    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize(("contract", "importer", "imported"), list(breaches()))
def test_each_contract_notices_the_imports_that_it_forbids(
    contract: str,
    importer: str,
    imported: str | None,
    graph: ImportGraph,
) -> None:
    broken = deepcopy(graph)
    broken.add_module(importer)
    if imported is not None:
        broken.add_import(importer=importer, imported=imported)

    assert not _is_kept(broken, contract)


def test_every_contract_has_a_breach() -> None:
    assert {contract for contract, _, _ in breaches()} == {contract["id"] for contract in CONTRACTS}


@pytest.mark.parametrize(
    "name",
    sorted({name for contract in CONTRACTS for name in contract.get("forbidden_modules", ())}),
)
def test_every_forbidden_module_exists(name: str) -> None:
    assert importlib.util.find_spec(name) is not None


@cache
def _shipped() -> Sequence[tuple[str, Sequence[ast.AST]]]:
    """Return every shipped file with all nodes of its syntax tree."""
    return [
        (str(path.relative_to(ROOT)), list(ast.walk(ast.parse(path.read_text()))))
        for package in OURS
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


def _imports(nodes: Sequence[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_domain_and_the_use_cases_import_only_python_and_the_domain() -> None:
    inside = ("domain/", "application/use_cases/")
    foreign = {
        f"{path}: {name}"
        for path, nodes in _shipped()
        if path.startswith(inside)
        for name in _imports(nodes)
        if name.partition(".")[0] not in sys.stdlib_module_names | {"domain"}
        and not (path.startswith(inside[1]) and name.startswith("application.use_cases"))
    }

    assert foreign == set()


ENTRANCES: Final = {
    "adapters/system/clock.py": {
        "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns",
    },
    "adapters/system/ids.py": {
        "uuid.uuid1", "uuid.uuid4", "uuid.uuid7", "secrets", "random", "os.urandom",
    },
    "application/settings/environment.py": {"os.environ", "os.getenv", "os.putenv", "os.environb"},
}  # fmt: skip
"""The only file that may use each of these names."""
USED: Final = {"datetime.now", "uuid.uuid4", "secrets", "os.environ"}
"""Names that their entrance uses now."""
USES: Final = {
    "datetime.now": "import datetime; datetime.datetime.now()",
    "datetime.utcnow": "from datetime import datetime; datetime.utcnow()",
    "datetime.today": "from datetime import datetime; datetime.today()",
    "date.today": "from datetime import date; date.today()",
    "time.time": "import time; time.time()",
    "time.time_ns": "from time import time_ns",
    "uuid.uuid1": "import uuid; uuid.uuid1()",
    "uuid.uuid4": "from uuid import UUID, uuid4",
    "uuid.uuid7": "import uuid; uuid.uuid7()",
    "secrets": "import secrets",
    "random": "from random import choice",
    "os.urandom": "import os; os.urandom(8)",
    "os.environ": "import os; os.environ['HOME']",
    "os.getenv": "from os import getenv",
    "os.putenv": "import os; os.putenv('A', 'b')",
    "os.environb": "import os; os.environb[b'HOME']",
}


def _uses(nodes: Sequence[ast.AST], name: str) -> bool:
    """Return whether a module imports `name`, or uses it as an attribute."""
    owner, _, last = name.rpartition(".")
    if any(imported == name or imported.startswith(f"{name}.") for imported in _imports(nodes)):
        return True
    return any(
        isinstance(node, ast.Attribute) and node.attr == last and _last_word(node.value) == owner
        for node in nodes
        if owner
    )


def _last_word(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(
    ("name", "entrance"),
    [(name, entrance) for entrance, names in ENTRANCES.items() for name in sorted(names)],
)
def test_time_chance_and_environment_have_one_entrance_each(name: str, entrance: str) -> None:
    users = {path for path, nodes in _shipped() if _uses(nodes, name)}

    assert users == ({entrance} if name in USED else set())


def test_the_search_for_uses_finds_every_name(subtests: pytest.Subtests) -> None:
    assert set(USES) == set().union(*ENTRANCES.values())
    for name, code in USES.items():
        with subtests.test(name=name):
            nodes = list(ast.walk(ast.parse(code)))

            assert _uses(nodes, name)
            assert [other for other in USES if _uses(nodes, other)] == [name]


@cache
def _distributions() -> Mapping[str, Sequence[str]]:
    return packages_distributions()


@pytest.mark.parametrize("name", OURS)
def test_no_installed_distribution_owns_one_of_our_names(name: str) -> None:
    owners = _distributions().get(name, [])

    assert set(owners) <= {"gradioapp"}


def test_no_folder_of_tests_is_named_like_a_package() -> None:
    folders = {
        path.name
        for path in (ROOT / "tests").rglob("*")
        if path.is_dir() and path.name != "__pycache__"
    }
    packages = {*OURS, *_distributions(), *sys.stdlib_module_names}

    assert folders & packages == set()


def _settings_section() -> str:
    document = (ROOT / "docs" / "operating.md").read_text()
    section = re.search(r"^## Settings\n(.*?)(?=^## |\Z)", document, flags=re.DOTALL | re.MULTILINE)
    assert section is not None, "docs/operating.md has no section '## Settings'"
    return section[1]


@pytest.mark.asvs("5.1.1")
def test_the_documents_have_one_line_for_each_setting() -> None:
    rows = re.findall(r"^\|\s*`([A-Z_]+)`\s*\|", _settings_section(), flags=re.MULTILINE)
    of_providers = re.findall(
        r"^\|\s*`OIDC_<NAME>_([A-Z_]+)`\s*\|", _settings_section(), flags=re.MULTILINE
    )

    assert sorted(rows) == sorted(name.upper() for name in Settings.model_fields if name != "oidc")
    assert of_providers == list(KEYS)


def test_the_example_of_a_dotenv_has_each_setting_with_its_default() -> None:
    example = (ROOT / ".env.example").read_text()
    lines = dict(re.findall(r"^# GRADIOAPP_([A-Z_]+)=(.*)$", example, flags=re.MULTILINE))
    of_a_provider = {key: lines.pop(f"OIDC_CORP_{key}", None) for key in KEYS}

    assert lines == {
        name.upper(): _as_text(field.default)
        for name, field in Settings.model_fields.items()
        if name != "oidc"
    }
    assert of_a_provider == {
        key: getattr(ProviderSettings(name="corp"), key.lower()) if key != "CLIENT_SECRET" else ""
        for key in KEYS
    }


def _as_text(default: object) -> str:
    if default is None or default == ():
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)
