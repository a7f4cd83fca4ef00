"""The JSON API for sessions: the caller's own, and for admins those of any account."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from domain.model.session import Session, SessionId, SessionPolicy
from domain.model.user import UserId
from entrypoints.web.addresses import API
from entrypoints.web.dependencies import Me, UseCasesDep, front, note
from entrypoints.web.schemas import (
    IN_PERSON,
    JSON_ONLY,
    After,
    DevicePage,
    DeviceView,
    Ended,
    EverythingEnded,
    Limit,
    RevokeTokens,
    problems,
)

mine = APIRouter(prefix=f"{API}/me/sessions", tags=["me"], dependencies=JSON_ONLY)
of_accounts = APIRouter(prefix=f"{API}/users", tags=["users"], dependencies=JSON_ONLY)


@mine.get("", summary="My sessions", responses=problems(403, 422), openapi_extra=IN_PERSON)
async def list_sessions(
    request: Request, me: Me, use_cases: UseCasesDep, limit: Limit = 50, after: After = None
) -> DevicePage:
    """List the caller's sessions, the last used first. Not with an access token."""
    policy = front(request).settings.session_policy
    sessions = list(await use_cases.list_sessions(me.caller, me.user.id))
    position = next((n for n, session in enumerate(sessions, 1) if session.id == after), 0)
    shown = sessions[position : position + limit]
    views = [
        DeviceView(
            **times_of(session, policy),
            address=session.device.address,
            agent=session.device.agent,
            is_remembered=session.is_remembered,
            issuer=session.origin.issuer if session.origin else None,
            is_current=session.id == me.session.id,
        )
        for session in shown
    ]
    has_more = position + limit < len(sessions)
    return DevicePage(items=views, next=shown[-1].id if has_more else None)


@mine.delete(
    "/{session_id}",
    status_code=204,
    summary="End one of my sessions",
    responses=problems(403, 404, 422),
    openapi_extra=IN_PERSON,
)
async def end_session(
    request: Request, me: Me, use_cases: UseCasesDep, session_id: UUID
) -> Response:
    """End one of the caller's sessions. Not with an access token."""
    await use_cases.revoke_session(me.caller, SessionId(session_id), of=me.user.id)
    response = Response(status_code=204)
    if session_id == me.session.id:
        response.headers.append("set-cookie", front(request).cookies.session.drop())
    return response


@mine.delete(
    "",
    summary="End all my sessions but this one",
    responses=problems(403),
    openapi_extra=IN_PERSON,
)
async def end_other_sessions(me: Me, use_cases: UseCasesDep) -> Ended:
    """End all of the caller's sessions except this one. Not with an access token."""
    return Ended(ended=await use_cases.revoke_other_sessions(me.caller))


@of_accounts.delete(
    "/{user_id}/sessions",
    summary="End everything of an account",
    responses=problems(403, 404, 422),
)
async def end_sessions(
    request: Request,
    me: Me,
    use_cases: UseCasesDep,
    user_id: UUID,
    revoke_tokens: RevokeTokens = True,  # noqa: FBT002 -- A query parameter.
) -> EverythingEnded:
    """End all sessions of an account, and revoke all its access tokens unless `revoke_tokens` is false. Admins only."""
    ended = await use_cases.revoke_all_sessions(
        me.caller, UserId(user_id), revokes_tokens=revoke_tokens
    )
    note(request, outcome="sessions ended", account=str(user_id))
    return EverythingEnded(ended=ended.sessions, revoked_tokens=ended.tokens)


def times_of(session: Session, policy: SessionPolicy) -> dict[str, Any]:
    """Return the fields of a SessionView."""
    return {
        "id": session.id,
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "idle_at": session.expires_at(policy),
        "ends_at": session.ends_at,
    }
