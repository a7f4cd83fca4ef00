"""What only some may use: a callback that is refused, and components that are not there."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import gradio as gr
import structlog
from gradio.block_function import BlockFunction
from gradio.blocks import Block

from domain.errors import NotAllowed
from domain.model.user import checked_roles
from entrypoints.ui.callbacks import checked_before_each_step
from entrypoints.ui.calling import current_call, nobody_calls
from entrypoints.ui.injection import current_user

log = structlog.get_logger()

Callback = TypeVar("Callback", bound=Callable[..., Any])

_ROLES: Final = "__gradioapp_roles__"
"""On a function: sets of roles, of each of which the caller has to have one."""


def requires(*roles: str) -> Callable[[Callback], Callback]:
    """Whoever has none of the roles is refused when the callback is called, whichever way, and before each further step
    of a generator; and does not find it in the API's description. Raises RoleInvalid for what cannot be a role."""
    wanted = _some(roles, "requires")

    def guarded(fn: Callback) -> Callback:
        name = getattr(fn, "__name__", "callback")
        inner: Any = checked_before_each_step(fn, lambda: must_have_one_of(wanted, to_use=name))
        setattr(inner, _ROLES, (*roles_of(fn), wanted))
        return inner  # type: ignore[no-any-return]

    return guarded


def visible_to(*roles: str, **render: Any) -> Callable[[Callable[..., Any]], None]:
    """For a function that builds components: they are there for whoever has one of the roles, in the page, in `/config`
    and `/info`, and for nobody else; nor can their events be called by others. `render` is passed on to `gr.render`,
    on top of which this is."""
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
    """Refuse an event that requires a role before anything of it is run, its validator included. Raises NotAllowed."""
    if built.renderable is not None:  # It runs for everybody, and builds nothing for others.
        return
    for wanted in roles_of(built.fn):
        must_have_one_of(wanted, to_use=_name(built))


def must_see(built: BlockFunction | Block) -> None:
    """What was built for a role is gone with it, also where a tab still has it. Raises NotAllowed."""
    built_by: Any = built.rendered_in
    while built_by is not None:
        for wanted in roles_of(built_by.fn):
            must_have_one_of(wanted, to_use=_name(built))
        built_by = built_by.container.rendered_in


def _name(built: BlockFunction | Block) -> str:
    return str(built.name if isinstance(built, BlockFunction) else built.get_block_name())


def must_have_one_of(wanted: frozenset[str], *, to_use: str) -> None:
    """Raises NotAllowed."""
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
    if not roles:
        raise TypeError(f'{word} takes the name of a role, as in {word}("admin").')
    return checked_roles(roles)
