"""Rules for known devices: how a browser is recognised before sign-in, and when it is forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from domain.errors import KnownDeviceNotFound, SignedTokenRefused
from domain.model.caller import Caller
from domain.model.known_device import (
    LASTS,
    PER_ACCOUNT,
    PER_COOKIE,
    KnownDevice,
    KnownDeviceId,
)
from domain.model.session import Session
from domain.model.signed_token import Claims, Purpose
from domain.model.user import User, UserId
from domain.ports.repositories import KnownDeviceRepository
from domain.ports.security import SignedTokenCodec
from domain.ports.system import Clock, IdGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDeviceService:
    """The browser's cookie is a signed token with one secret for each account that has signed in there. It says nothing
    about the accounts. Each secret is random, so that a cookie that somebody else has planted makes no device known."""

    codec: SignedTokenCodec
    clock: Clock
    ids: IdGenerator

    async def recognise(
        self, devices: KnownDeviceRepository, user: User | None, cookie: str | None
    ) -> KnownDevice | None:
        """Return the known device if the account has signed in with the cookie's browser. Ask the store also for an
        unknown account, so that the response time tells nothing."""
        secrets = self._secrets_in(cookie)
        if not secrets:
            return None
        user_id = UserId(self.ids.new_id()) if user is None else user.id
        return await devices.find(user_id, [_hash(secret) for secret in secrets])

    async def remember(
        self, devices: KnownDeviceRepository, session: Session, cookie: str | None
    ) -> str:
        """Make the browser known to the session's account, or renew it. Return the new cookie. Above the limit, forget
        the devices that have not signed in for the longest time. The caller holds the account's lock."""
        secrets = self._secrets_in(cookie)
        known = await self._renewed(devices, session, secrets)
        if known is None:
            mine = self.ids.new_secret()
            await self._add(devices, session, mine)
        else:
            mine = next(secret for secret in secrets if _hash(secret) == known.secret_hash)
        others = [secret for secret in secrets if secret != mine]
        return self._cookie([mine, *others][:PER_COOKIE])

    async def forget(
        self, devices: KnownDeviceRepository, device_id: KnownDeviceId, *, by: Caller
    ) -> None:
        """Forget one of the caller's own devices. Raises KnownDeviceNotFound, and NotAllowed for a program."""
        by.must_be_a_person()
        if device_id not in {device.id for device in await devices.of_user(by.account())}:
            raise KnownDeviceNotFound
        await devices.remove([device_id])

    async def purge(self, devices: KnownDeviceRepository) -> int:
        """Forget devices without a sign-in for LASTS, and return how many."""
        return await devices.remove_unused(since=self.clock.now() - LASTS)

    async def _renewed(
        self, devices: KnownDeviceRepository, session: Session, secrets: Sequence[str]
    ) -> KnownDevice | None:
        known = await devices.find(session.user_id, [_hash(secret) for secret in secrets])
        if known is None:
            return None
        try:
            await devices.save(known.signed_in(session))
        except KnownDeviceNotFound:  # It was forgotten just now.
            return None
        return known

    async def _add(self, devices: KnownDeviceRepository, session: Session, secret: str) -> None:
        others = await devices.of_user(session.user_id)
        if surplus := [device.id for device in others[PER_ACCOUNT - 1 :]]:
            await devices.remove(surplus)
        await devices.add(
            KnownDevice(
                id=KnownDeviceId(self.ids.new_id()),
                user_id=session.user_id,
                secret_hash=_hash(secret),
                session_id=session.id,
                seen_at=session.created_at,
                device=session.device,
            )
        )

    def _secrets_in(self, cookie: str | None) -> Sequence[str]:
        """Return the secrets of a cookie that we have made, the last used first. Any other text has none."""
        if cookie is None:
            return ()
        try:
            claims = self.codec.decode(Purpose.DEVICE, cookie)
        except SignedTokenRefused:
            return ()
        return claims.subject.split(_SEPARATOR)

    def _cookie(self, secrets: Sequence[str]) -> str:
        now = self.clock.now()
        claims = Claims(
            subject=_SEPARATOR.join(secrets),
            secret_id=self.ids.new_secret(),
            issued_at=now,
            expires_at=now + LASTS,
        )
        return self.codec.encode(Purpose.DEVICE, claims)


_SEPARATOR = "."
"""Secrets do not contain it."""


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
