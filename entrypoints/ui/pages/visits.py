"""Keep an account's visits to the HomePage: the time of the previous visit, and the apps and roles it had then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.model.state import JsonValue

KEY: Final = "home.visits"
"""Key in the account state."""
PAUSE: Final = timedelta(minutes=30)
"""A visit ends after so much time without loading the HomePage. A reload within it is the same visit."""

MOST: Final = 500
"""The largest number of apps, and of roles, that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    since: datetime | None
    """The end of the previous visit; None for the first visit."""
    known_apps: frozenset[str] | None
    """Addresses of the apps at the previous visit; None if they are unknown."""
    known_roles: frozenset[str] | None


def visited(
    kept: JsonValue, *, now: datetime, apps: Sequence[str], roles: Sequence[str]
) -> JsonValue:
    """Return the new value for KEY after the account has loaded the HomePage with these apps and roles."""
    before = kept if isinstance(kept, dict) else {}
    last = _time(before.get("last"))
    seen: dict[str, JsonValue] = {
        "last": now.isoformat(),
        "apps": list(apps[:MOST]),
        "roles": list(roles[:MOST]),
    }
    if last is not None and now - last <= PAUSE:
        earlier = ("since", "known_apps", "known_roles")
        return {**seen, **{name: before.get(name) for name in earlier}}
    return {
        **seen,
        "since": before.get("last") if last else None,
        "known_apps": before.get("apps"),
        "known_roles": before.get("roles"),
    }


def visit_of(kept: JsonValue) -> Visit:
    values = kept if isinstance(kept, dict) else {}
    return Visit(
        since=_time(values.get("since")),
        known_apps=_names(values.get("known_apps")),
        known_roles=_names(values.get("known_roles")),
    )


def _time(value: JsonValue) -> datetime | None:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None


def _names(value: JsonValue) -> frozenset[str] | None:
    if not isinstance(value, list):
        return None
    return frozenset(name for name in value if isinstance(name, str))
