"""What an author's file says to `launch()` and `queue()`: looks, folders and queue of an app that is mounted here, and
never launched."""

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import gradio as gr
import structlog

log = structlog.get_logger()

Options = Mapping[str, Any]

HONOURED: Final = (
    *("theme", "css", "css_paths", "js", "head", "head_paths"),
    *("i18n", "allowed_paths", "blocked_paths", "max_file_size"),
)
"""Options of `launch()` that mean the same when mounted. The others are the service's own business: address, sign-in,
what errors tell, and what leaves the machine."""
_LAUNCHED: Final = "_gradioapp_launched"


@contextmanager
def launches_noted() -> Iterator[list[gr.Blocks]]:
    """Inside, an app that launches itself notes with which options, and goes on: a file that is imported must come to its
    end, and have no second server. Answers the list of those that did."""
    launch: Any = gr.Blocks.launch
    launched: list[gr.Blocks] = []

    def note(demo: gr.Blocks, *_: Any, **options: Any) -> tuple[None, str, str]:
        setattr(demo, _LAUNCHED, options)
        launched.append(demo)
        return None, "", ""

    gr.Blocks.launch = note  # type: ignore[method-assign,assignment]
    try:
        yield launched
    finally:
        gr.Blocks.launch = launch  # type: ignore[method-assign]


def options_of(demo: gr.Blocks) -> dict[str, Any]:
    """The honoured ones, of `launch()` or of where Gradio 5 took them: the constructor."""
    said: Options = getattr(demo, _LAUNCHED, {})
    older = {name: getattr(demo, f"_deprecated_{name}", None) for name in HONOURED}
    found = {name: said.get(name) or older[name] for name in HONOURED}
    return {name: value for name, value in found.items() if value is not None}


def read_main_block(source: str, names: Mapping[str, Any]) -> None:
    """Of `if __name__ == "__main__":`, which is not run, what is said there to `NAME.launch(…)` and `NAME.queue(…)`, where
    `names` are those of the imported file. What needs more than them is left out, with a warning."""
    for block in _main_blocks(source):
        for call in ast.walk(block):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                _read_call(call, call.func, names)


def run_main_block(source: str, path: str, names: dict[str, Any]) -> None:
    """For a file that makes its app nowhere else."""
    for block in _main_blocks(source):
        exec(compile(ast.Module(block.body, []), path, "exec"), names)  # noqa: S102 -- The author's own words.


def _main_blocks(source: str) -> list[ast.If]:
    return [
        block
        for block in ast.parse(source).body
        if isinstance(block, ast.If) and "__main__" in ast.unparse(block.test)
    ]


def _read_call(call: ast.Call, method: ast.Attribute, names: Mapping[str, Any]) -> None:
    demo = _whose(method.value, names)
    if demo is None:
        return
    if method.attr == "launch":
        setattr(demo, _LAUNCHED, _values(call, names, lambda name: name in HONOURED))
    elif method.attr == "queue":
        demo.queue(**_values(call, names, lambda _: True))


def _whose(expression: ast.expr, names: Mapping[str, Any]) -> gr.Blocks | None:
    """The app at the root of `demo`, or of `demo.queue()`."""
    while isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        expression = expression.func.value
    found = names.get(expression.id) if isinstance(expression, ast.Name) else None
    return found if isinstance(found, gr.Blocks) else None


def _values(
    call: ast.Call, names: Mapping[str, Any], is_wanted: Callable[[str], bool]
) -> dict[str, Any]:
    found = {}
    for keyword in call.keywords:
        if keyword.arg is not None and is_wanted(keyword.arg):
            code = compile(ast.Expression(keyword.value), "<launch>", "eval")
            try:
                found[keyword.arg] = eval(code, dict(names))  # noqa: S307 -- The author's own words.
            except Exception as error:
                log.warning(
                    "an option of the main block could not be read: say it outside of it",
                    option=keyword.arg,
                    line=call.lineno,
                    fault=f"{type(error).__name__}: {error}",
                )
    return found
