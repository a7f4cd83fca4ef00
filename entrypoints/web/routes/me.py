"""The JSON API for the caller's own account and password."""

from typing import Any

from fastapi import APIRouter, Request

from domain.model.caller import SignedIn
from domain.model.session import SessionPolicy
from entrypoints.web.addresses import API
from entrypoints.web.dependencies import Me, UseCasesDep, front, note
from entrypoints.web.routes.sessions import times_of
from entrypoints.web.schemas import (
    IN_PERSON,
    JSON_ONLY,
    EverythingEnded,
    MyView,
    PasswordChange,
    SessionView,
    problems,
)

router = APIRouter(prefix=f"{API}/me", tags=["me"], dependencies=JSON_ONLY)


@router.get("", summary="Who I am", responses=problems())
async def read_me(request: Request, me: Me) -> MyView:
    """Return the caller's account and session. With the header `X-Gradioapp-Passive: 1`, the request does not reset the
    session's idle timeout. With an access token, `session` describes the token, which has no idle timeout, and `roles`
    are those that the token may use."""
    here = front(request)
    return MyView(
        id=me.user.id,
        email=me.user.email,
        name=me.user.name,
        roles=sorted(me.user.roles),
        session=SessionView(**_my_times(me, here.settings.session_policy)),
        now=here.now,
    )


@router.post(
    "/password",
    summary="Change my password",
    responses=problems(403, 413, 415, 422, 429),
    openapi_extra=IN_PERSON,
)
async def change_password(
    request: Request, me: Me, use_cases: UseCasesDep, change: PasswordChange
) -> EverythingEnded:
    """Change the password. All other sessions end, and all access tokens unless `revoke_tokens` is false. Not with an
    access token."""
    ended = await use_cases.change_password(
        me.caller, current=change.current, new=change.new, revokes_tokens=change.revoke_tokens
    )
    note(request, outcome="password changed")
    return EverythingEnded(ended=ended.sessions, revoked_tokens=ended.tokens)


def _my_times(me: SignedIn, policy: SessionPolicy) -> dict[str, Any]:
    times = times_of(me.session, policy)
    return times if me.token is None else times | {"idle_at": me.session.ends_at}
