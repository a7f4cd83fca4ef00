"""CSRF tokens of our pages' forms: one per rendering, valid only in the browser and the session that loaded the form
(ASVS 3.5.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from domain.errors import SignedTokenRefused
from domain.model.session import Session
from domain.model.signed_token import Claims, Purpose

LASTS: Final = timedelta(hours=12)


class Codec(Protocol):
    """Signs and reads signed tokens."""

    def encode(self, purpose: Purpose, claims: Claims) -> str: ...

    def decode(self, purpose: Purpose, signed_token: str) -> Claims:
        """Raises SignedTokenRefused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormTokens:
    codec: Codec
    now: Callable[[], datetime]
    new_secret: Callable[[], str]

    def new_browser(self) -> str:
        """Make an id for a browser that has none yet. The id is secret: only that browser knows it."""
        return self.new_secret()

    def offer(self, browser: str, session: Session | None = None) -> str:
        """Make a token for a form. It is valid for LASTS, and only together with this browser's id and session. Without a
        session it is for a visitor who has not signed in, and valid for nobody who has."""
        return self._made_for(_subject(browser, session))

    def must_be_ours(self, token: str, browser: str, session: Session | None = None) -> None:
        """Raises SignedTokenRefused unless `offer` made the token for this browser and session."""
        self._must_be_for(_subject(browser, session), token)

    def offer_in_bar(self, session: Session) -> str:
        """Make a token for the sign-out form in the bar, valid only for this session. The bar is part of Gradio's pages,
        which set no cookie for forms."""
        return self._made_for(f"bar:{session.id}")

    def must_be_from_bar(self, token: str, session: Session) -> None:
        """Raises SignedTokenRefused unless `offer_in_bar` made it for this session."""
        self._must_be_for(f"bar:{session.id}", token)

    def _made_for(self, subject: str) -> str:
        now = self.now()
        claims = Claims(
            subject=subject, secret_id=self.new_secret(), issued_at=now, expires_at=now + LASTS
        )
        return self.codec.encode(Purpose.FORM, claims)

    def _must_be_for(self, subject: str, token: str) -> None:
        if self.codec.decode(Purpose.FORM, token).subject != subject:
            raise SignedTokenRefused


def _subject(browser: str, session: Session | None) -> str:
    """Return a subject of its own for each browser and session. A browser's id contains no colon, and is too long to be
    the word that begins the subject of the bar."""
    return browser if session is None else f"{browser}:{session.id}"
