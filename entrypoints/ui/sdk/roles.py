"""Restrict callbacks and components to roles."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import gradio as gr
import structlog
from gradio.block_function import BlockFunction
from gradio.blocks import Block

from domain.errors import NotAllowed
from domain.model.user import checked_roles
from entrypoints.ui.calls.call import current_call, nobody_calls
from entrypoints.ui.sdk.current import current_user
from entrypoints.ui.sdk.wrapping import checked_before_each_step

log = structlog.get_logger()

Callback = TypeVar("Callback", bound=Callable[..., Any])

_ROLES: Final = "__gradioapp_roles__"
"""Attribute of a function: sets of roles. The caller needs one role of each set."""


def requires(*roles: str) -> Callable[[Callback], Callback]:
    """Refuse callers who have none of the roles. The roles are checked at each call of the callback and before each
    further step of a generator; other callers do not see it in the API's description. Raises RoleInvalid."""
    wanted = _some(roles, "requires")

    def guarded(fn: Callback) -> Callback:
        name = getattr(fn, "__name__", "callback")
        inner: Any = checked_before_each_step(fn, lambda: must_have_one_of(wanted, to_use=name))
        setattr(inner, _ROLES, (*roles_of(fn), wanted))
        return inner  # type: ignore[no-any-return]

    return guarded


def visible_to(*roles: str, **render: Any) -> Callable[[Callable[..., Any]], None]:
    """Build components only for callers who have one of the roles. Decorates a function that builds components. Other
    callers see them neither in the page nor in `/config` and `/info`, and cannot call their events. `render` is passed
    to `gr.render`. Raises RoleInvalid."""
    wanted = _some(roles, "visible_to")

    def shown(build: Callable[..., Any]) -> None:
        @wraps(build)
        def build_for_them(*args: Any, **kwargs: Any) -> None:
            if _has_one_of(wanted):
                build(*args, **kwargs)

        setattr(build_for_them, _ROLES, (wanted,))
        gr.render(**{"show_progress": "hidden", **render})(build_for_them)

    return shown


def roles_of(fn: Any) -> tuple[frozenset[str], ...]:
    found: tuple[frozenset[str], ...] = getattr(fn, _ROLES, ())
    return found


def may_use(fn: BlockFunction, roles: frozenset[str]) -> bool:
    return all(not wanted.isdisjoint(roles) for wanted in roles_of(fn.fn))


def must_use(built: BlockFunction) -> None:
    """Raises NotAllowed if the event needs a role that the caller does not have. Checked before its validator runs."""
    # A gr.render runs for all callers, but builds nothing without the role.
    if built.renderable is not None:
        return
    for wanted in roles_of(built.fn):
        must_have_one_of(wanted, to_use=_name(built))


def must_see(built: BlockFunction | Block) -> None:
    """Raises NotAllowed if the event or component was built for a role that the caller does not have, even
    if it is still in the caller's tab."""
    built_by: Any = built.rendered_in
    while built_by is not None:
        for wanted in roles_of(built_by.fn):
            must_have_one_of(wanted, to_use=_name(built))
        built_by = built_by.container.rendered_in


def _name(built: BlockFunction | Block) -> str:
    return str(built.name if isinstance(built, BlockFunction) else built.get_block_name())


def must_have_one_of(wanted: frozenset[str], *, to_use: str) -> None:
    """Raises NotAllowed. `to_use` is the callback's name for the log."""
    if _has_one_of(wanted):
        return
    user = current_user()
    log.warning("callback refused", callback=to_use, user_id=user.id, needs=sorted(wanted))
    names = " or ".join(sorted(wanted))
    holder = "this access token" if _is_a_program() else user.email
    raise NotAllowed(f"This needs the role {names}, which {holder} does not have.")


def _is_a_program() -> bool:
    return not nobody_calls() and current_call().signed_in.token is not None


def _has_one_of(wanted: frozenset[str]) -> bool:
    return not current_user().roles.isdisjoint(wanted)


def _some(roles: tuple[str, ...], word: str) -> frozenset[str]:
    # Without parentheses, the decorated function comes in place of the roles.
    if not all(isinstance(role, str) for role in roles) or not roles:
        raise TypeError(f'{word} needs the name of a role, as in {word}("admin").')
    return checked_roles(roles)
