"""The JSON API for accounts. Most of it is for admins."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from domain.model.user import User, UserId
from entrypoints.web.addresses import API
from entrypoints.web.dependencies import Me, UseCasesDep, note
from entrypoints.web.schemas import (
    JSON_ONLY,
    After,
    Limit,
    NewUser,
    Search,
    UserChange,
    UserPage,
    UserView,
    problems,
)

router = APIRouter(prefix=f"{API}/users", tags=["users"], dependencies=JSON_ONLY)


@router.get("", summary="Accounts", responses=problems(403, 422))
async def list_users(
    me: Me, use_cases: UseCasesDep, limit: Limit = 50, after: After = None, search: Search = ""
) -> UserPage:
    """List the accounts, sorted by e-mail. Admins only."""
    cursor = UserId(after) if after else None
    users = await use_cases.list_users(me.caller, limit=limit + 1, after=cursor, search=search)
    shown = users[:limit]
    has_more = len(users) > limit
    return UserPage(items=[_view(user) for user in shown], next=shown[-1].id if has_more else None)


@router.post(
    "", status_code=201, summary="Create an account", responses=problems(403, 409, 413, 415, 422)
)
async def create_user(
    request: Request, response: Response, me: Me, use_cases: UseCasesDep, new: NewUser
) -> UserView:
    """Create an account. Without a password, nobody can sign in to it with one yet. With a password or roles, the session
    must be confirmed, and an access token cannot do it. Admins only."""
    user = await use_cases.create_user(
        me.caller, email=new.email, name=new.name, password=new.password, roles=new.roles
    )
    note(request, outcome="account created", account=str(user.id))
    response.headers["location"] = f"{API}/users/{user.id}"
    return _view(user)


@router.get("/{user_id}", summary="One account", responses=problems(403, 404, 422))
async def read_user(me: Me, use_cases: UseCasesDep, user_id: UUID) -> UserView:
    """Return one account. Admins only, except for the caller's own account."""
    return _view(await use_cases.get_user(me.caller, UserId(user_id)))


@router.patch(
    "/{user_id}", summary="Change an account", responses=problems(403, 404, 409, 413, 415, 422)
)
async def change_user(
    request: Request, me: Me, use_cases: UseCasesDep, user_id: UUID, change: UserChange
) -> UserView:
    """Change an account. Disabling it ends its sessions and access tokens. The last active admin cannot be disabled or
    lose the role. To change roles or enable an account, the session must be confirmed, and an access token cannot do it.
    Admins only."""
    user = await use_cases.change_user(
        me.caller,
        UserId(user_id),
        name=change.name,
        roles=change.roles,
        is_active=change.is_active,
    )
    note(request, outcome="account changed", account=str(user_id))
    return _view(user)


def _view(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        roles=sorted(user.roles),
        is_active=user.is_active,
        has_password=user.password_hash is not None,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )
