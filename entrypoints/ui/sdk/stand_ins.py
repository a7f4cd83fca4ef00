"""Stand-ins for the caller's User, Session and State: values of parameters, which look up the caller at each use."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from entrypoints.ui.calls.call import current_call, is_served, nobody_calls
from entrypoints.ui.calls.kept_values import State
from entrypoints.ui.calls.views import Session, User
from entrypoints.ui.sdk import standalone
from entrypoints.ui.sdk.current import (
    current_session,
    current_state,
    current_user,
    needs_first_value,
)


class StandIn:
    """Stands for the result of `find`, which is called at each use. `isinstance` always sees a `kind`."""

    __slots__ = ("_find", "_kind")

    def __init__(self, find: Callable[[], Any], kind: type) -> None:
        object.__setattr__(self, "_find", find)
        object.__setattr__(self, "_kind", kind)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self._kind

    def __getattr__(self, name: str) -> Any:
        # Python looks such names up when it copies an object, which may happen without a caller.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._find(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._find(), name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._find()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._find()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._find()[key]

    def __contains__(self, key: Any) -> bool:
        return key in self._find()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._find())

    def __len__(self) -> int:
        return len(self._find())

    def __bool__(self) -> bool:
        return bool(self._find())

    def __eq__(self, other: object) -> bool:
        return not isinstance(other, type) and bool(self._find() == other)

    def __hash__(self) -> int:
        return hash(self._find())

    def __or__(self, other: Any) -> Any:
        return self._find() | other

    def __ior__(self, other: Any) -> Any:
        self._find().update(other)
        return self

    def __repr__(self) -> str:
        return repr(self._find())


class _AllInOne(State):
    """User, session and state in one object, for parameters whose type is not known."""

    def __init__(self, *parts: User | Session) -> None:
        super().__init__({})
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        for part in self._parts:
            if hasattr(part, name):
                return getattr(part, name)
        raise AttributeError(name)

    def __bool__(self) -> bool:
        return True


_ALONE: Final = _AllInOne(standalone.USER, standalone.SESSION)


def _unresolved() -> Any:
    if not is_served():
        return _ALONE
    if needs_first_value():
        return _AllInOne(standalone.NOBODY, standalone.session())
    if nobody_calls():
        current_call()  # Raises RuntimeError.
    raise RuntimeError(
        "`injected` works in functions that Gradio calls and in functions that those name. It did not reach this "
        "function: pass the value as an argument, or call current_user() or current_session() inside."
    )


injected: Final[Any] = StandIn(_unresolved, object)
OF_TYPE: Final[dict[type, Any]] = {
    User: StandIn(current_user, User),
    Session: StandIn(current_session, Session),
    State: StandIn(current_state, State),
}
