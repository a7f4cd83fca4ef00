"""The functions that replace others of Gradio and Python while a service is mounted."""

import importlib
import pkgutil
from collections.abc import Iterator
from inspect import Parameter, getattr_static, isclass, isfunction, signature
from typing import Any

import pytest

import entrypoints.ui
from entrypoints.ui.replacement import Replacement


def replacements() -> Iterator[Replacement]:
    """Return those of every module of the service."""
    found: dict[tuple[Any, str, Any], Replacement] = {}
    for module in pkgutil.walk_packages(entrypoints.ui.__path__, "entrypoints.ui."):
        for value in vars(importlib.import_module(module.name)).values():
            for each in value if isinstance(value, tuple | list) else [value]:
                if isinstance(each, Replacement):
                    found[each.owner, each.name, each.by] = each
    yield from found.values()


def parameters_of(function: Any, owner: Any) -> list[Parameter]:
    """Return all but `self` and `cls`, which no caller names."""
    bare = function.__func__ if isinstance(function, staticmethod | classmethod) else function
    parameters = list(signature(bare, follow_wrapped=False).parameters.values())
    return (
        parameters[1:] if isclass(owner) and not isinstance(function, staticmethod) else parameters
    )


FUNCTIONS = [
    each
    for each in replacements()
    if isfunction(getattr(found := getattr_static(each.owner, each.name), "__func__", found))
]
"""Not those that C implements, and a class and a text of Gradio."""


@pytest.mark.parametrize("replacement", FUNCTIONS, ids=lambda each: each.name)
def test_a_caller_can_name_the_parameters_as_before(replacement: Replacement) -> None:
    original = getattr_static(replacement.owner, replacement.name)
    made = replacement.by(getattr(replacement.owner, replacement.name))

    parameters = parameters_of(made, replacement.owner)

    if not any(each.kind is Parameter.VAR_KEYWORD for each in parameters):
        named = [each.name for each in parameters]
        assert named == [each.name for each in parameters_of(original, replacement.owner)]


def test_most_replacements_are_functions_with_names_for_parameters() -> None:
    assert len(FUNCTIONS) > 40
