"""Rules for single sign-on: whose account a sign-in at a provider opens, and with which roles."""

import hmac
import json
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from domain.errors import (
    EmailInvalid,
    IdentityRefused,
    LinkNeedsPassword,
    NameInvalid,
    SessionReplaced,
    SignedTokenRefused,
)
from domain.model.audit import Entry
from domain.model.identity import (
    ATTEMPT_LASTS,
    Identity,
    IdentityProxy,
    Origin,
    Profile,
    Proof,
    Provider,
)
from domain.model.session import Session, SessionId
from domain.model.signed_token import Claims, Purpose
from domain.model.user import (
    ADMIN,
    LONGEST_NAME,
    Email,
    User,
    UserId,
    canonical_email,
    checked_name,
)
from domain.ports.repositories import IdentityRepository, UserRepository
from domain.ports.security import SignedTokenCodec
from domain.ports.system import Clock, IdGenerator
from domain.services.users import UserService

LONGEST_WANTED: Final = 1000
"""Characters of the address to return to: it travels in a cookie."""

_LONGEST_KEPT: Final = 300
"""The same beside a profile."""

_STARTED_ELSEWHERE: Final = (
    "This sign-in was started in another browser or more than 10 minutes ago. Start again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A sign-in that has begun, as the browser keeps it in a signed cookie."""

    provider: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    wanted: str
    """The address to return to; empty for the start page."""
    confirms: str = ""
    """The id of the session that the sign-in confirms; empty if it opens a session."""
    begun_at: float = 0.0
    """Seconds since 1970, if it confirms a session."""
    is_foreign: bool = False
    """True if a page of another site has begun it."""

    @property
    def challenge(self) -> str:
        """The PKCE challenge S256 of the verifier (RFC 7636)."""
        digest = sha256(self.verifier.encode()).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """A sign-in at a provider that waits for the account's password."""

    provider: str
    profile: Profile
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityService:
    codec: SignedTokenCodec
    clock: Clock
    ids: IdGenerator
    users: UserService

    def begin(
        self,
        provider: Provider,
        wanted: str,
        *,
        confirms: SessionId | None = None,
        is_foreign: bool = False,
    ) -> tuple[Attempt, str]:
        """Return a new attempt, and the signed token of it for the cookie. `confirms` is the session that it confirms."""
        attempt = Attempt(
            provider=provider.name,
            state=self.ids.new_secret(),
            nonce=self.ids.new_secret(),
            verifier=self.ids.new_secret(),
            wanted=wanted if len(wanted) <= LONGEST_WANTED else "",
            is_foreign=is_foreign,
        )
        if confirms is not None:
            now = self.clock.now().timestamp()
            attempt = replace(attempt, confirms=str(confirms), begun_at=now)
        # Without the new members, which a replica of the last release does not know, if they are empty.
        kept = {name: value for name, value in asdict(attempt).items() if value or name == "wanted"}
        return attempt, self._sign(Purpose.SSO, kept)

    def resume(self, provider: Provider, signed_token: str | None, state: str) -> Attempt:
        """Return the attempt that this browser began at this provider. Raises IdentityRefused."""
        try:
            attempt = Attempt(**self._read(Purpose.SSO, signed_token or ""))
        except SignedTokenRefused as error:
            raise IdentityRefused(_STARTED_ELSEWHERE, reason="no attempt") from error
        is_same = hmac.compare_digest(attempt.state.encode(), state.encode("utf-8", "replace"))
        if not is_same or attempt.provider != provider.name:
            raise IdentityRefused(_STARTED_ELSEWHERE, reason="state")
        return attempt

    def keep_unproven(self, unproven: Unproven) -> str:
        """Return a signed token for the cookie while the person types the password. It leaves out the name, which an
        existing account has already, and a long address to return to."""
        profile = asdict(unproven.profile)
        # The password proves anew who the person is.
        del profile["authenticated_at"]
        changed = {"granted": sorted(unproven.profile.granted), "name": ""}
        kept = {
            "provider": unproven.provider,
            "wanted": unproven.wanted if len(unproven.wanted) <= _LONGEST_KEPT else "",
            "profile": profile | changed,
        }
        return self._sign(Purpose.LINK, kept)

    def unproven(self, provider: Provider, signed_token: str | None) -> Unproven:
        """Raises IdentityRefused."""
        try:
            kept = self._read(Purpose.LINK, signed_token or "")
        except SignedTokenRefused as error:
            raise IdentityRefused(_STARTED_ELSEWHERE, reason="no attempt") from error
        if kept["provider"] != provider.name:
            raise IdentityRefused(_STARTED_ELSEWHERE, reason="another provider")
        profile = kept["profile"] | {"granted": frozenset(kept["profile"]["granted"])}
        return Unproven(provider=provider.name, wanted=kept["wanted"], profile=Profile(**profile))

    async def account_of(
        self,
        provider: Provider,
        profile: Profile,
        *,
        users: UserRepository,
        identities: IdentityRepository,
        entry: Entry,
        proven: UserId | None = None,
    ) -> tuple[User, User]:
        """Return the account that the sign-in opens, locked, before and after the roles are those that the claims give:
        the linked one, or at a first sign-in the one with the e-mail, or a new one where the provider may make it.
        `proven` is the account whose password was proved just now. `entry` names the account as soon as it is found.
        Raises IdentityRefused, IdentityTaken, LinkNeedsPassword."""
        if profile.issuer != provider.issuer:
            raise IdentityRefused(reason="another issuer")
        if ADMIN in provider.managed_roles:
            # Before the lock of the account, as everywhere: two sign-ins must not wait for each other.
            await users.count_active_admins(locked=True)
        identity = await identities.find(profile.issuer, profile.subject)
        if identity is not None:
            user_id = identity.user_id
            entry.found(user_id)
        else:
            user_id = await self._link(
                provider, profile, users=users, identities=identities, entry=entry, proven=proven
            )
        before, user = await self.users.manage_roles(
            users, user_id, managed=provider.managed_roles, granted=profile.granted
        )
        _must_be_active(user)
        return before, user

    def origin_of(self, profile: Profile) -> Origin:
        return Origin(issuer=profile.issuer, subject=profile.subject, sid=profile.sid)

    def must_fit_proof(self, session: Session, proxy: IdentityProxy, proof: Proof) -> None:
        """Check that a session may be used with a request that proves this. A proven person has no other session than
        one that began with this proof. A session that began so cannot be used without it; every other session can.
        Raises SessionReplaced for another person, otherwise what `proof` is, or IdentityRefused without a header."""
        origin = session.origin
        is_of_proxy = origin is not None and origin.issuer == proxy.issuer
        if isinstance(proof, Profile):
            if origin is None or (origin.issuer, origin.subject) != (proof.issuer, proof.subject):
                raise SessionReplaced
        elif is_of_proxy:
            raise proof or IdentityRefused(
                f"{proxy.label} did not say who you are. Open this service through it, or tell an admin.",
                reason="no header",
            )

    async def _link(
        self,
        provider: Provider,
        profile: Profile,
        *,
        users: UserRepository,
        identities: IdentityRepository,
        entry: Entry,
        proven: UserId | None,
    ) -> UserId:
        email = _vouched_email(provider, profile)
        found = await users.find_by_email(email)
        if found is None:
            if not provider.creates:
                raise IdentityRefused(
                    f"There is no account for {email} here. Ask an admin to make one.",
                    reason="no account",
                )
            found = await self.users.make(
                users, email=email, name=_name(profile, email), password_hash=None
            )
        entry.found(found.id)
        # With the lock: the account may become an admin's, or be disabled, at the same time.
        user = await users.get_locked(found.id)
        _must_be_active(user)
        if user.is_admin and user.id != proven:
            _must_have_password(user)
            raise LinkNeedsPassword
        await identities.add(
            Identity(
                issuer=profile.issuer,
                subject=profile.subject,
                user_id=user.id,
                created_at=self.clock.now(),
            )
        )
        return user.id

    def _sign(self, purpose: Purpose, kept: Mapping[str, Any]) -> str:
        now = self.clock.now()
        text = json.dumps(kept, separators=(",", ":")).encode()
        claims = Claims(
            subject=urlsafe_b64encode(text).decode(),
            secret_id=self.ids.new_secret(),
            issued_at=now,
            expires_at=now + ATTEMPT_LASTS,
        )
        return self.codec.encode(purpose, claims)

    def _read(self, purpose: Purpose, signed_token: str) -> dict[str, Any]:
        """Return what `_sign` has signed. Raises SignedTokenRefused."""
        claims = self.codec.decode(purpose, signed_token)
        kept: dict[str, Any] = json.loads(urlsafe_b64decode(claims.subject))
        return kept


def _vouched_email(provider: Provider, profile: Profile) -> Email:
    """Return the e-mail, if the provider has verified it and may vouch for its domain. Raises IdentityRefused."""
    try:
        email = canonical_email(profile.email)
    except EmailInvalid as error:
        raise IdentityRefused(
            f"{provider.label} did not say your e-mail address. Ask an admin to look at the settings of {provider.label}.",
            reason="no e-mail",
        ) from error
    if _with_small_letters(profile.email) != email:
        # Somebody else may have an address with ß, which is taken for ss.
        raise IdentityRefused(
            f"{provider.label} writes your e-mail address with letters that stand for others here. Ask an admin.",
            reason="e-mail folded",
        )
    if not profile.is_email_verified:
        raise IdentityRefused(
            f"{provider.label} has not verified your e-mail address {email}. Verify it there, then start again.",
            reason="e-mail not verified",
        )
    if email.rpartition("@")[2] not in provider.domains:
        raise IdentityRefused(
            f"Nobody with the e-mail address {email} can sign in with {provider.label} here. Ask an admin.",
            reason="domain",
        )
    return email


def _with_small_letters(email: str) -> str:
    """Return the address as written, with small letters in place of the capitals of ASCII, and in NFC."""
    written = "".join(letter.lower() if letter.isascii() else letter for letter in email.strip())
    # Afterwards: NFC makes an ASCII letter of the sign for Kelvin.
    return unicodedata.normalize("NFC", written)


def _must_be_active(user: User) -> None:
    if not user.is_active:
        raise IdentityRefused("Your account is disabled. Ask an admin.", reason="disabled")


def _must_have_password(user: User) -> None:
    if user.password_hash is None:
        raise IdentityRefused(
            "Your account is an admin's, so its first sign-in here needs its password, and it has none. "
            f"Ask the operator to set one: gradioapp users set-password {user.email}",
            reason="no password",
        )


def _name(profile: Profile, email: Email) -> str:
    """Return the provider's name of the person, or the e-mail's local part."""
    try:
        return checked_name(profile.name[:LONGEST_NAME])
    except NameInvalid:
        return email.partition("@")[0]
