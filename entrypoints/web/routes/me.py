"""The JSON API for one's own account, password, sessions and access tokens."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from domain.model.caller import SignedIn
from domain.model.session import Session, SessionId
from entrypoints.web.addresses import API
from entrypoints.web.front import App, Me, device, front, note
from entrypoints.web.schemas import (
    IN_PERSON,
    JSON_ONLY,
    After,
    DevicePage,
    DeviceView,
    Ended,
    Limit,
    MyView,
    PasswordChange,
    SessionView,
    problems,
)

router = APIRouter(prefix=f"{API}/me", tags=["me"], dependencies=JSON_ONLY)


@router.get("", summary="Who I am", responses=problems())
async def read_me(request: Request, me: Me) -> MyView:
    """The account, and the session that asks. With the header `X-Gradioapp-Passive: 1` asking does not keep it awake.
    A program's session is its access token: the same id, the same end, never idle, and `roles` are those it may use."""
    idle = front(request).settings.session_idle
    return MyView(
        id=me.user.id,
        email=me.user.email,
        name=me.user.name,
        roles=sorted(me.user.roles),
        session=SessionView(**_my_times(me, idle)),
    )


@router.post(
    "/password",
    summary="Change my password",
    responses=problems(403, 413, 415, 422, 429),
    openapi_extra=IN_PERSON,
)
async def change_password(request: Request, me: Me, app: App, change: PasswordChange) -> Ended:
    """All my other sessions end; access tokens stay. Not with an access token."""
    ended = await app.change_password(
        me.caller, current=change.current, new=change.new, address=device(request).address
    )
    note(request, outcome="password changed")
    return Ended(ended=ended)


@router.get(
    "/sessions", summary="My sessions", responses=problems(403, 422), openapi_extra=IN_PERSON
)
async def list_sessions(
    request: Request, me: Me, app: App, limit: Limit = 50, after: After = None
) -> DevicePage:
    """The one seen last first. Not with an access token."""
    idle = front(request).settings.session_idle
    sessions = list(await app.list_sessions(me.caller, me.user.id))
    position = next((n for n, session in enumerate(sessions, 1) if session.id == after), 0)
    shown = sessions[position : position + limit]
    views = [
        DeviceView(
            **_times(session, idle),
            address=session.device.address,
            agent=session.device.agent,
            is_current=session.id == me.session.id,
        )
        for session in shown
    ]
    has_more = position + limit < len(sessions)
    return DevicePage(items=views, next=shown[-1].id if has_more else None)


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    summary="End one of my sessions",
    responses=problems(403, 404, 422),
    openapi_extra=IN_PERSON,
)
async def end_session(request: Request, me: Me, app: App, session_id: UUID) -> Response:
    """Not with an access token."""
    as_owner = replace(me.caller, roles=frozenset())  # Here an admin, too, ends only their own.
    await app.revoke_session(as_owner, SessionId(session_id))
    answer = Response(status_code=204)
    if session_id == me.session.id:
        answer.headers.append("set-cookie", front(request).cookies.session.drop())
    return answer


@router.delete(
    "/sessions",
    summary="End all my sessions but this one",
    responses=problems(403),
    openapi_extra=IN_PERSON,
)
async def end_other_sessions(me: Me, app: App) -> Ended:
    """Not with an access token."""
    return Ended(ended=await app.revoke_other_sessions(me.caller))


def _times(session: Session, idle: timedelta) -> dict[str, Any]:
    return {
        "id": session.id,
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "idle_at": min(session.seen_at + idle, session.ends_at),
        "ends_at": session.ends_at,
    }


def _my_times(me: SignedIn, idle: timedelta) -> dict[str, Any]:
    times = _times(me.session, idle)
    return times if me.token is None else times | {"idle_at": me.session.ends_at}
