"""The JSON API for one's own access tokens; none of it is for a program that comes with one."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from domain.model.access_token import AccessToken, AccessTokenId
from entrypoints.web.addresses import API
from entrypoints.web.front import App, Me, note
from entrypoints.web.schemas import (
    IN_PERSON,
    JSON_ONLY,
    After,
    Limit,
    MadeToken,
    NewToken,
    TokenPage,
    TokenView,
    problems,
)

router = APIRouter(prefix=f"{API}/me/tokens", tags=["tokens"], dependencies=JSON_ONLY)


@router.get("", summary="My access tokens", responses=problems(403, 422), openapi_extra=IN_PERSON)
async def list_tokens(me: Me, app: App, limit: Limit = 50, after: After = None) -> TokenPage:
    """Those that could be used, the newest first; never what a program sends. Not with a token."""
    tokens = list(await app.list_tokens(me.caller))
    position = next((n for n, token in enumerate(tokens, 1) if token.id == after), 0)
    shown = tokens[position : position + limit]
    has_more = position + limit < len(tokens)
    return TokenPage(
        items=[TokenView(**_fields(token)) for token in shown],
        next=shown[-1].id if has_more else None,
    )


@router.post(
    "",
    status_code=201,
    summary="Create an access token",
    responses=problems(403, 409, 413, 415, 422),
    openapi_extra=IN_PERSON,
)
async def create_token(
    request: Request, response: Response, me: Me, app: App, new: NewToken
) -> MadeToken:
    """The answer alone has the token; it cannot be asked for again. Not with another token."""
    made = await app.create_token(me.caller, name=new.name, days=new.days, roles=new.roles)
    note(request, outcome="access token created", made_token_id=str(made.token.id))
    response.headers["cache-control"] = "no-store"
    return MadeToken(**_fields(made.token), token=made.value)


@router.delete(
    "/{token_id}",
    status_code=204,
    summary="Revoke an access token",
    responses=problems(403, 404, 422),
    openapi_extra=IN_PERSON,
)
async def revoke_token(request: Request, me: Me, app: App, token_id: UUID) -> Response:
    """Whoever uses it is turned away from then on, open streams included. Not with a token."""
    await app.revoke_token(me.caller, AccessTokenId(token_id))
    note(request, outcome="access token revoked", revoked_token_id=str(token_id))
    return Response(status_code=204)


def _fields(token: AccessToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "hint": token.hint,
        "roles": None if token.roles is None else sorted(token.roles),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }
