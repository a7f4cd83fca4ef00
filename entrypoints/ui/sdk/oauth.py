"""Answer gr.OAuthProfile, gr.OAuthToken and gr.LoginButton with the account that is signed in here.

Gradio reads all three from a cookie of its own, which Hugging Face or, outside of a Space, a mock has filled. That cookie is
never read: its key is public. Gradio fills the parameters itself, wherever they stand.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from gradio import blocks, chat_interface, oauth, routes
from gradio.utils import oauth_token_requirement

from domain.errors import DomainError, ProviderTokenMissing, ProviderUnavailable
from domain.model.identity import Providers
from domain.model.provider_tokens import ProviderTokens
from domain.model.user import User
from entrypoints.ui.calls.call import Call, call_or_none
from entrypoints.ui.calls.steps import Event, Output, Run, Step
from entrypoints.ui.replacement import Replacement

log = structlog.get_logger()

Scopes = Mapping[str, Collection[str]]
"""What a page needs of each provider, by the provider's name."""

_NONE: Final = "no token"
"""Stands in a gr.OAuthToken for a token that there is not, until the parameter gets None. Compared by identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    user: User
    tokens: ProviderTokens | None = field(default=None, repr=False)
    why_none: DomainError = field(default_factory=ProviderTokenMissing)
    """Raised for a function that requires a token, if there is none."""

    def info(self) -> dict[str, Any]:
        """Return what Gradio keeps of a sign-in. The e-mail is the user name, as in gr.Request. There is no address of a
        profile or picture: other people may see them, and the browser would tell another host who is here."""
        token = self.tokens
        return {
            "userinfo": {
                "sub": str(self.user.id),
                "name": self.user.name,
                "preferred_username": self.user.email,
                "email": self.user.email,
                "profile": "",
                "picture": "",
                "website": "",
            },
            "access_token": _NONE if token is None else token.access_token,
            "scope": "" if token is None else " ".join(sorted(token.scopes)),
            "expires_at": 0 if token is None else int(token.expires_at.timestamp()),
        }


_answer: Final[ContextVar[_Answer | None]] = ContextVar("oauth_answer", default=None)
"""None where nobody is signed in, and in a batch, which has several callers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersOAuth(Step):
    scopes: Scopes

    async def run(self, event: Event, rest: Run) -> Output:
        call = call_or_none()
        if call is None or isinstance(event.request, list):
            with _answering(None):
                return await rest(event)
        is_first_step = event.more.get("iterator") is None
        renderable = getattr(event.fn, "renderable", None)
        fn = event.fn.fn if renderable is None else renderable.fn
        with await answered(call, fn if is_first_step else None, self.scopes):
            return await rest(event)


async def answered(call: Call, fn: Any, scopes: Scopes) -> AbstractContextManager[None]:
    """Return a context manager inside of which Gradio gets the caller's profile, and the token of the provider if `fn`
    takes one and the page names scopes."""
    user = call.signed_in.user
    if fn is None or oauth_token_requirement(fn) is None:
        return _answering(_Answer(user=user))
    try:
        tokens = await call.use_cases.find_provider_token(call.signed_in, scopes)
    except (ProviderTokenMissing, ProviderUnavailable) as why:
        log.info("no token of a provider", why=why.reason, **call.origin)
        return _answering(_Answer(user=user, why_none=why))
    return _answering(_Answer(user=user, tokens=tokens))


@contextmanager
def _answering(answer: _Answer | None) -> Iterator[None]:
    token = _answer.set(answer)
    try:
        yield
    finally:
        _answer.reset(token)


def warn_of_unknown_providers(title: str, scopes: Scopes, providers: Providers) -> None:
    """Log each provider that a page names and the settings do not have. The page is served: its author may run it on a
    laptop without any provider."""
    for name in scopes:
        if providers.find(name) is None:
            log.warning(
                "page names scopes of a provider that the settings do not have",
                page=title,
                provider=name,
            )


def _of_the_caller(_: Any) -> Callable[[Any], dict[str, Any] | None]:
    def find(session: Any) -> dict[str, Any] | None:  # noqa: ARG001 -- Gradio's signature. It is never read.
        answer = _answer.get()
        return None if answer is None else answer.info()

    return find


def _without_missing_tokens(fill: Callable[..., Any]) -> Callable[..., Any]:
    def special_args(fn: Any, inputs: list[Any] | None = None, *args: Any, **more: Any) -> Any:
        filled = fill(fn, inputs, *args, **more)
        answer = _answer.get()
        if answer is None or inputs is None:
            return filled
        values, *rest = filled
        if any(map(_is_missing, values)):
            if oauth_token_requirement(fn) == "required":
                raise answer.why_none
            values = [None if _is_missing(value) else value for value in values]
        return (values, *rest)

    return special_args


def _is_missing(value: Any) -> bool:
    return isinstance(value, oauth.OAuthToken) and value.token is _NONE


SIGNED_IN: Final = Replacement(
    owner=oauth, name="_get_valid_oauth_info_from_session", by=_of_the_caller
)
FILLING: Final = tuple(
    Replacement(owner=owner, name="special_args", by=_without_missing_tokens)
    for owner in (blocks, chat_interface, routes)
)
"""Each of these modules has imported the function by its name."""
