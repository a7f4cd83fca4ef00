"""The JSON API for access tokens: the caller's own, and for admins those of any account. It cannot be called with an
access token."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from domain.model.access_token import AccessToken, AccessTokenId
from domain.model.user import UserId
from entrypoints.web.addresses import API
from entrypoints.web.dependencies import Me, UseCasesDep, note
from entrypoints.web.schemas import (
    IN_PERSON,
    JSON_ONLY,
    After,
    Limit,
    MadeToken,
    NewToken,
    Revoked,
    TokenPage,
    TokenView,
    problems,
)

mine = APIRouter(prefix=f"{API}/me/tokens", tags=["tokens"], dependencies=JSON_ONLY)
of_accounts = APIRouter(prefix=f"{API}/users", tags=["tokens"], dependencies=JSON_ONLY)


@mine.get("", summary="My access tokens", responses=problems(403, 422), openapi_extra=IN_PERSON)
async def list_tokens(
    me: Me, use_cases: UseCasesDep, limit: Limit = 50, after: After = None
) -> TokenPage:
    """List the usable access tokens, the newest first, without their secret values. Not with an access token."""
    return _page(await use_cases.list_tokens(me.caller), limit, after)


@mine.post(
    "",
    status_code=201,
    summary="Create an access token",
    responses=problems(403, 409, 413, 415, 422),
    openapi_extra=IN_PERSON,
)
async def create_token(
    request: Request, response: Response, me: Me, use_cases: UseCasesDep, new: NewToken
) -> MadeToken:
    """Create an access token. Only this response contains its value; it cannot be read again. The session must be
    confirmed. Not with an access token."""
    made = await use_cases.create_token(me.caller, name=new.name, days=new.days, roles=new.roles)
    note(request, outcome="access token created", made_token_id=str(made.token.id))
    response.headers["cache-control"] = "no-store"
    return MadeToken(**_fields(made.token), token=made.value)


@mine.delete(
    "/{token_id}",
    status_code=204,
    summary="Revoke an access token",
    responses=problems(403, 404, 422),
    openapi_extra=IN_PERSON,
)
async def revoke_token(
    request: Request, me: Me, use_cases: UseCasesDep, token_id: UUID
) -> Response:
    """Revoke an access token. Further requests with it are refused, and open streams end. Not with an access token."""
    await use_cases.revoke_token(me.caller, AccessTokenId(token_id), of=me.user.id)
    note(request, outcome="access token revoked", revoked_token_id=str(token_id))
    return Response(status_code=204)


@of_accounts.get(
    "/{user_id}/tokens",
    summary="Access tokens of an account",
    responses=problems(403, 404, 422),
    openapi_extra=IN_PERSON,
)
async def list_tokens_of(
    me: Me, use_cases: UseCasesDep, user_id: UUID, limit: Limit = 50, after: After = None
) -> TokenPage:
    """List the usable access tokens of an account, the newest first, without their secret values. Admins only, and not
    with an access token."""
    return _page(await use_cases.list_tokens_of(me.caller, UserId(user_id)), limit, after)


@of_accounts.delete(
    "/{user_id}/tokens/{token_id}",
    status_code=204,
    summary="Revoke an access token of an account",
    responses=problems(403, 404, 422),
    openapi_extra=IN_PERSON,
)
async def revoke_token_of(
    request: Request, me: Me, use_cases: UseCasesDep, user_id: UUID, token_id: UUID
) -> Response:
    """Revoke an access token of an account. Admins only, and not with an access token."""
    await use_cases.revoke_token(me.caller, AccessTokenId(token_id), of=UserId(user_id))
    note(request, outcome="access token revoked", revoked_token_id=str(token_id))
    return Response(status_code=204)


@of_accounts.delete(
    "/{user_id}/tokens",
    summary="Revoke all access tokens of an account",
    responses=problems(403, 404, 422),
    openapi_extra=IN_PERSON,
)
async def revoke_tokens_of(
    request: Request, me: Me, use_cases: UseCasesDep, user_id: UUID
) -> Revoked:
    """Revoke all access tokens of an account; its sessions stay. Admins only, and not with an access token."""
    revoked = await use_cases.revoke_all_tokens(me.caller, UserId(user_id))
    note(request, outcome="access tokens revoked", account=str(user_id))
    return Revoked(revoked=revoked)


def _page(tokens: Sequence[AccessToken], limit: int, after: UUID | None) -> TokenPage:
    position = next((n for n, token in enumerate(tokens, 1) if token.id == after), 0)
    shown = tokens[position : position + limit]
    has_more = position + limit < len(tokens)
    return TokenPage(
        items=[TokenView(**_fields(token)) for token in shown],
        next=shown[-1].id if has_more else None,
    )


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
