"""An OpenID provider on loopback that says and does what a test tells it to, lies included."""

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from domain.ports.system import Clock

CLIENT: Final = "us"
SECRET: Final = "hush & more"

Reply = tuple[int, Mapping[str, str], bytes]


class _Anything(JWSRegistry):
    def check_header(self, header: dict[str, Any]) -> None:
        pass


_ANY: Final = _Anything(algorithms=list(JWSRegistry.algorithms), strict_check_header=False)


@cache
def key(name: str, kind: str = "EC") -> Key:
    """Return a key with this id. Making one takes long, so tests share them."""
    parameters: Any = {"kid": name, "use": "sig"}
    if kind == "RSA":
        return RSAKey.generate_key(2048, parameters)
    if kind == "oct":
        return OctKey.import_key(SECRET, parameters)
    return ECKey.generate_key(kind if kind.startswith("P-") else "P-256", parameters)


def as_json(members: object, status: int = 200) -> Reply:
    return status, {"content-type": "application/json"}, json.dumps(members).encode()


@dataclass(kw_only=True)
class LyingProvider:
    issuer: str
    clock: Clock
    claims: dict[str, Any] = field(default_factory=dict)
    """Claims of the next tokens, beside and instead of the right ones. None leaves a claim out."""
    info: dict[str, Any] | None = None
    """What the userinfo endpoint says; None: there is no such endpoint."""
    document: dict[str, Any] = field(default_factory=dict)
    """Members of the discovery document, beside and instead of the right ones. None leaves a member out."""
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "ES256", "kid": "one"})
    signs_with: Key = field(default_factory=lambda: key("one"))
    offers: list[Key] = field(default_factory=lambda: [key("one")])
    """The keys of its key set."""
    replies: dict[str, Callable[[], Reply]] = field(default_factory=dict)
    """Replies instead of the right ones, by path."""
    asked: list[str] = field(default_factory=list)
    """The paths of all requests."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    """The authorization requests of unused codes."""
    grants: dict[str, Any] = field(default_factory=dict)
    """Members of the next responses of the token endpoint, beside and instead of the right ones. With a refresh token,
    it gives a new one at each refresh, and refuses the old one from then on."""
    refreshed: int = 0
    """How often tokens were refreshed."""
    scopes: list[str] = field(default_factory=list)
    """The scopes of all authorization requests."""
    _numbers: int = 0

    def signs_in(self, address: str) -> str:
        """Sign a person in, as its page at this address would, and return the code."""
        parts = urlsplit(address)
        wanted = dict(parse_qsl(parts.query))
        assert address.startswith(f"{self.issuer}/authorize?")
        assert wanted["response_type"] == "code"
        assert wanted["client_id"] == CLIENT
        assert wanted["code_challenge_method"] == "S256"
        self.scopes.append(wanted["scope"])
        self._numbers += 1
        code = f"code-{self._numbers}"
        self.codes[code] = wanted
        return code

    def token(self, **claims: Any) -> str:
        """Return a signed token with the right issuer, audience and times, and with these claims."""
        now = self.clock.now()
        said: dict[str, Any] = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": _seconds(now),
            "exp": _seconds(now + timedelta(minutes=5)),
            **claims,
            **self.claims,
        }
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(dict(self.header), kept, self.signs_with, registry=_ANY, algorithms=None)

    def replies_to(
        self, path: str, form: dict[str, str], authorization: str, query: str = ""
    ) -> Reply:
        self.asked.append(path)
        if path in self.replies:
            return self.replies[path]()
        if path == "/.well-known/openid-configuration":
            return as_json(self._document())
        if path == "/authorize":
            return self._page(query)
        if path == "/keys":
            keys = [one.as_dict(private=False) for one in self.offers]
            return as_json({"keys": keys})
        if path == "/token":
            is_refresh = form.get("grant_type") == "refresh_token"
            redeem = self._refresh if is_refresh else self._redeemed
            return redeem(form, authorization)
        if path == "/api":
            return as_json({"sub": authorization})
        if path == "/userinfo" and authorization == "Bearer access":
            return as_json(self.info or {})
        return as_json({"error": "not found"}, 404)

    def _page(self, query: str) -> Reply:
        """Return its page for a person in a real browser, who only has to follow the link."""
        wanted = dict(parse_qsl(query))
        code = self.signs_in(f"{self.issuer}/authorize?{query}")
        back = urlencode({"code": code, "state": wanted["state"]})
        page = f'<title>Liar</title><a href="{escape(wanted["redirect_uri"])}?{escape(back)}">Go on</a>'
        return 200, {"content-type": "text/html"}, page.encode()

    def _document(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/leave",
            "userinfo_endpoint": None if self.info is None else f"{self.issuer}/userinfo",
            **self.document,
        }
        return {name: value for name, value in document.items() if value is not None}

    def _redeemed(self, form: dict[str, str], authorization: str) -> Reply:
        wanted = self.codes.pop(form.get("code", ""), None)
        if wanted is None or form.get("grant_type") != "authorization_code":
            return as_json({"error": "invalid_grant"}, 400)
        if not _is_client(form, authorization):
            return as_json({"error": "invalid_client"}, 401)
        digest = sha256(form["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != wanted["code_challenge"] or form["redirect_uri"] != wanted["redirect_uri"]:
            return as_json({"error": "invalid_grant"}, 400)
        half = urlsafe_b64encode(sha256(b"access").digest()[:16]).rstrip(b"=").decode()
        token = self.token(
            sub="1",
            nonce=wanted["nonce"],
            at_hash=half,
            email="ada@example.org",
            email_verified=True,
            name="Ada at Corp",
        )
        right = {"access_token": "access", "token_type": "Bearer", "id_token": token}
        return as_json({**right, **self.grants})

    def _refresh(self, form: dict[str, str], authorization: str) -> Reply:
        if not _is_client(form, authorization):
            return as_json({"error": "invalid_client"}, 401)
        if not form.get("refresh_token") or form["refresh_token"] != self.grants["refresh_token"]:
            return as_json({"error": "invalid_grant"}, 400)
        self.refreshed += 1
        self.grants |= {"refresh_token": f"refresh-{self.refreshed}"}
        right = {"access_token": f"access-{self.refreshed}", "token_type": "Bearer"}
        return as_json({**right, **self.grants})


def _is_client(form: dict[str, str], authorization: str) -> bool:
    basic = urlsafe_b64encode(b"us:hush+%26+more").decode()
    in_form = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
    return authorization == f"Basic {basic}" or in_form


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


@contextmanager
def lying_provider(clock: Clock) -> Iterator[LyingProvider]:
    """Serve a provider on a free port of this machine."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            text = self.rfile.read(size).decode()
            self._reply({name: values[-1] for name, values in parse_qs(text).items()})

        def _reply(self, form: dict[str, str]) -> None:
            parts = urlsplit(self.path)
            status, headers, body = provider.replies_to(
                unquote(parts.path), form, self.headers.get("authorization", ""), parts.query
            )
            with suppress(OSError):  # A client that has waited too long is gone.
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider = LyingProvider(issuer=f"http://127.0.0.1:{server.server_port}", clock=clock)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        released.set()
        server.shutdown()
        thread.join()
        server.server_close()
