"""The application as environment "test" composes it: in memory, with cheap hashes."""

from collections.abc import Iterator
from contextlib import contextmanager

from dependency_injector import providers

from application.container import Composition, build
from application.settings import Settings
from domain.ports.system import Clock

_free: list[Composition] = []


@contextmanager
def composition(settings: Settings, clock: Clock) -> Iterator[Composition]:
    """One that an earlier test has given back, with nothing left in it: to make one takes longer than most tests."""
    container = _free.pop() if _free else build(settings)
    before = _overridden(container)
    container.settings.override(providers.Object(settings))
    container.clock.override(providers.Object(clock))
    try:
        yield container
    finally:
        container.hasher().close()
        container.reset_singletons()
        for provider in (container.settings, container.clock):
            provider.reset_last_overriding()
        if _overridden(container) == before:
            _free.append(container)


def _overridden(container: Composition) -> list[int]:
    """How often each part was: who brings another one into theirs has a composition that nobody wants afterwards."""
    return [len(provider.overridden) for provider in container.providers.values()]
