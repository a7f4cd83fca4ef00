"""The JSON API for accounts, for admins."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from domain.model.user import User, UserId
from entrypoints.web.addresses import API
from entrypoints.web.front import App, Me, note
from entrypoints.web.schemas import (
    JSON_ONLY,
    After,
    Ended,
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
    me: Me, app: App, limit: Limit = 50, after: After = None, search: Search = ""
) -> UserPage:
    """In the order of their e-mail. Admins only."""
    cursor = UserId(after) if after else None
    users = await app.list_users(me.caller, limit=limit + 1, after=cursor, search=search)
    shown = users[:limit]
    has_more = len(users) > limit
    return UserPage(items=[_view(user) for user in shown], next=shown[-1].id if has_more else None)


@router.post(
    "", status_code=201, summary="Create an account", responses=problems(403, 409, 413, 415, 422)
)
async def create_user(
    request: Request, response: Response, me: Me, app: App, new: NewUser
) -> UserView:
    """Admins only. Without a password nobody can sign in to it yet. With an access token neither a password nor the
    role `admin` can be given."""
    user = await app.create_user(
        me.caller, email=new.email, name=new.name, password=new.password, roles=new.roles
    )
    note(request, outcome="account created", account=str(user.id))
    response.headers["location"] = f"{API}/users/{user.id}"
    return _view(user)


@router.get("/{user_id}", summary="One account", responses=problems(403, 404, 422))
async def read_user(me: Me, app: App, user_id: UUID) -> UserView:
    """Admins only, but for one's own."""
    return _view(await app.get_user(me.caller, UserId(user_id)))


@router.patch(
    "/{user_id}", summary="Change an account", responses=problems(403, 404, 409, 413, 415, 422)
)
async def change_user(
    request: Request, me: Me, app: App, user_id: UUID, change: UserChange
) -> UserView:
    """Admins only. A disabled account's sessions end. The last active admin stays one. With an access token nobody is
    made an admin."""
    user = await app.change_user(
        me.caller,
        UserId(user_id),
        name=change.name,
        roles=change.roles,
        is_active=change.is_active,
    )
    note(request, outcome="account changed", account=str(user_id))
    return _view(user)


@router.delete(
    "/{user_id}/sessions",
    summary="End all sessions of an account",
    responses=problems(403, 404, 422),
)
async def end_sessions(request: Request, me: Me, app: App, user_id: UUID) -> Ended:
    """Admins only."""
    ended = await app.revoke_all_sessions(me.caller, UserId(user_id))
    note(request, outcome="sessions ended", account=str(user_id))
    return Ended(ended=ended)


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
