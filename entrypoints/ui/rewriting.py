"""Changes the body of a response on its way out."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def answer_rewritten(
    inner: ASGIApp, scope: Scope, receive: Receive, send: Send, *, rewrite: Callable[[bytes], bytes]
) -> None:
    """Runs `inner` and passes on what `rewrite` makes of its body, with the right length. Only a response with status 200
    is rewritten."""
    body = bytearray()
    start: Message = {}

    async def rewritten(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        body.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        text = rewrite(bytes(body)) if start["status"] == 200 else bytes(body)
        headers = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
        headers.append((b"content-length", str(len(text)).encode()))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    headers = [(k, v) for k, v in scope["headers"] if k != b"accept-encoding"]
    await inner({**scope, "headers": headers}, receive, rewritten)
