"""Handle file downloads, uploads and the progress of uploads. A file belongs to one account."""

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Message

from entrypoints.ui.isolation.account import Tab
from entrypoints.ui.isolation.request import Request
from entrypoints.ui.isolation.tab_names import query_within
from entrypoints.ui.isolation.uploads import counted_upload


async def fetch(request: Request) -> None:
    """Serve a file that the caller owns, or that is open to everybody."""
    if not await request.files.may_be_fetched(request.signed_in, request.names["path"]):
        raise HTTPException(404)
    is_refused = False

    async def send(message: Message) -> None:
        nonlocal is_refused
        # Gradio's refusal would tell whether the path exists, and how it is spelt on the server.
        is_refused = is_refused or message.get("status") in {403, 404}
        if not is_refused:
            await request.send(message)

    await request.exchange.sending(send).passed_to(request.isolation.inner)
    if is_refused:
        raise HTTPException(404)


async def upload(request: Request) -> None:
    """Store files for the caller, and respond with their paths."""
    upload_id = None
    if request.scope["query_string"]:
        upload_id, _ = query_within(
            request.suffix, request.scope["query_string"], called="upload_id"
        )
    limit = request.isolation.upload_limit
    upload = request.account.upload(request.isolation.accounts.now(), limit=limit)
    async with request.isolation.uploads.claims.room(request.signed_in) as room:
        form = counted_upload(
            request.scope, request.receive, upload, request.account, room, limit=limit
        )
        paths = await request.isolation.uploads.take(
            request.signed_in, request.scope, form, upload_id
        )
    await JSONResponse(paths)(request.scope, request.receive, request.send)


async def upload_progress(request: Request) -> None:
    name, query = query_within(request.suffix, request.scope["query_string"], called="upload_id")
    with request.account.streaming(Tab(request.memory, name, request.owner)):
        await request.forward_with_query(query)
