"""Put steps around the three functions that Gradio calls for every event of an app.

Gradio calls `process_api` for every event and every step of a generator, queued or not. `process_api` calls
`preprocess_data` before the author's function and `postprocess_data` after it, once for each sample of a batch.
Each step wraps the next one.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState

from entrypoints.ui.calls.author_code import author_code
from entrypoints.ui.calls.component_inputs import with_own_properties
from entrypoints.ui.calls.own_updates import with_own_updates, without_foreign_updates
from entrypoints.ui.calls.updates import with_converted_updates

Output = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One run of a function. Each further value of a generator is a run of its own."""

    fn: BlockFunction
    inputs: list[Any]
    """One value for each component; in a batch, a list of samples for each component."""
    request: Any
    """A gr.Request; in a batch, a list of them; None if Gradio itself runs the event at start-up."""
    state: SessionState | None
    event_data: Any
    more: Mapping[str, Any]
    """The other arguments of `process_api`."""

    @property
    def requests(self) -> list[Any]:
        return self.request if isinstance(self.request, list) else [self.request]

    def with_inputs(self, inputs: list[Any]) -> Self:
        return replace(self, inputs=inputs)


Run = Callable[[Event], Awaitable[Output]]
Convert = Callable[[Any], Awaitable[list[Any]]]


class Step:
    """Wraps events: each method may act before and after it awaits `rest`, or raise to refuse the event."""

    async def run(self, event: Event, rest: Run) -> Output:
        return await rest(event)

    async def read(self, fn: BlockFunction, inputs: list[Any], rest: Convert) -> list[Any]:  # noqa: ARG002 -- Some steps need it.
        """Wrap the components' conversion of inputs into arguments of the function."""
        return await rest(inputs)

    async def show(self, fn: BlockFunction, outputs: Any, rest: Convert) -> list[Any]:  # noqa: ARG002 -- Some steps need it.
        """Wrap the components' conversion of the function's results into outputs."""
        return await rest(outputs)


_state_of_sample: ContextVar[SessionState | None] = ContextVar("state_of_sample", default=None)


@contextmanager
def in_tab(state: SessionState) -> Iterator[None]:
    """Use this tab's state for the sample of a batch that is converted inside the block. Gradio would use the state of
    the first caller's tab for all samples."""
    token = _state_of_sample.set(state)
    try:
        yield
    finally:
        _state_of_sample.reset(token)


_WRAPPED = ("process_api", "preprocess_data", "postprocess_data")


def wrap_events(demo: gr.Blocks, steps: Sequence[Step]) -> None:
    """Wrap every event of the app in the steps, the first one outermost."""
    process: Callable[..., Awaitable[Output]] = demo.process_api
    preprocess: Callable[..., Awaitable[list[Any]]] = demo.preprocess_data
    postprocess: Callable[..., Awaitable[list[Any]]] = demo.postprocess_data

    async def run(event: Event) -> Output:
        with author_code(str(event.fn.name)):
            return await process(
                block_fn=event.fn,
                inputs=event.inputs,
                request=event.request,
                state=event.state,
                event_data=event.event_data,
                **event.more,
            )

    for step in reversed(steps):
        run = partial(step.run, rest=run)

    async def process_api(
        block_fn: BlockFunction | int,
        inputs: list[Any],
        state: SessionState | None = None,
        request: Any = None,
        event_data: Any = None,
        **more: Any,
    ) -> Output:
        fn = demo.fns[block_fn] if isinstance(block_fn, int) else block_fn
        event = Event(
            fn=fn, inputs=inputs, request=request, state=state, event_data=event_data, more=more
        )
        return await run(event)

    async def preprocess_data(
        fn: BlockFunction, inputs: list[Any], state: SessionState | None, *more: Any
    ) -> list[Any]:
        async def read(values: list[Any]) -> list[Any]:
            own = _state_of_sample.get() or state
            return await preprocess(fn, with_own_properties(fn, values, own), own, *more)

        for step in reversed(steps):
            read = partial(step.read, fn, rest=read)
        return await read(inputs)

    async def postprocess_data(
        fn: BlockFunction, outputs: Any, state: SessionState | None
    ) -> list[Any]:
        async def show(values: Any) -> list[Any]:
            own = _state_of_sample.get() or state
            values = with_own_updates(fn, values)
            values = await with_converted_updates(demo, fn, values, own)
            shown = await postprocess(fn, values, own)
            return shown if fn.is_validator_function else without_foreign_updates(shown)

        for step in reversed(steps):
            show = partial(step.show, fn, rest=show)
        return await show(outputs)

    demo.process_api = process_api  # type: ignore[method-assign,assignment]
    demo.preprocess_data = preprocess_data  # type: ignore[method-assign,assignment]
    demo.postprocess_data = postprocess_data  # type: ignore[method-assign,assignment]


def unwrap_events(demo: gr.Blocks) -> None:
    for name in _WRAPPED:
        vars(demo).pop(name, None)
