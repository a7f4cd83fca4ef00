"""Compose the application like environment "test" does: in memory, with cheap hashes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from dependency_injector import providers

from adapters.security.passwords import CHEAP, PasslibHasher
from application.container import Composition, build
from application.settings import Settings
from domain.ports.system import Clock


class _LastingHasher(PasslibHasher):
    """A hasher that tests share. It keeps no data of a test, and its threads may stay."""

    def close(self) -> None:
        pass


_HASHER: Final = _LastingHasher(cost=CHEAP)


class _Lendable:
    def __init__(self, settings: Settings) -> None:
        self.container = build(settings)
        self.container.hasher.override(providers.Object(_HASHER))
        self._providers = list(self.container.providers.values())
        self._singletons: list[Any] = list(self.container.traverse([providers.BaseSingleton]))
        self._overridden = self._overridings()

    def takes_back(self) -> bool:
        """Empty the composition, and return whether it can be lent again. A composition with
        another part in it cannot."""
        for singleton in self._singletons:
            singleton.reset()
        return self._overridings() == self._overridden

    def _overridings(self) -> list[int]:
        return [len(provider.overridden) for provider in self._providers]


_free: list[_Lendable] = []


@contextmanager
def composition(settings: Settings, clock: Clock) -> Iterator[Composition]:
    """Lend an emptied composition of an earlier test, because making one takes longer than most tests."""
    lendable = _free.pop() if _free else _Lendable(settings)
    container = lendable.container
    container.settings.override(providers.Object(settings))
    container.clock.override(providers.Object(clock))
    try:
        yield container
    finally:
        for provider in (container.settings, container.clock):
            provider.reset_last_overriding()
        if lendable.takes_back():
            _free.append(lendable)
