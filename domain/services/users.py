"""Rules for accounts: who may make and change them, what must stay true, and what ends with them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from domain.errors import LastAdmin, LastBreakGlass, NotAllowed
from domain.model.user import ADMIN, Email, User, UserId, checked_name, checked_roles
from domain.ports.repositories import (
    AccessTokenRepository,
    KnownDeviceRepository,
    SessionRepository,
    UserRepository,
)
from domain.ports.system import Clock, IdGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class UserService:
    clock: Clock
    ids: IdGenerator
    password_sign_in: bool = True
    """False: the break-glass account is the only one that may use its password, and stays an active admin."""

    async def make(
        self,
        users: UserRepository,
        *,
        email: Email,
        name: str,
        password_hash: str | None,
        roles: Iterable[str] = (),
    ) -> User:
        """Add an account. Raises NameInvalid, RoleInvalid, EmailTaken."""
        now = self.clock.now()
        user = User(
            id=UserId(self.ids.new_id()),
            email=email,
            name=checked_name(name),
            password_hash=password_hash,
            roles=checked_roles(roles),
            created_at=now,
            updated_at=now,
        )
        await users.add(user)
        return user

    async def rename(self, users: UserRepository, user_id: UserId, name: str) -> User:
        return await self._change(users, user_id, name=name)

    async def set_password(self, users: UserRepository, user: User, password_hash: str) -> User:
        return await self._save(users, user.with_password(password_hash, self.clock.now()))

    async def enable(self, users: UserRepository, user_id: UserId) -> User:
        return await self._change(users, user_id, is_active=True)

    async def disable(
        self,
        users: UserRepository,
        user_id: UserId,
        *,
        sessions: SessionRepository,
        tokens: AccessTokenRepository,
        devices: KnownDeviceRepository,
    ) -> User:
        """Disable the account, end its sessions and access tokens (ASVS 7.4.2), and forget its devices. Raises UserNotFound, LastAdmin,
        LastBreakGlass."""
        return await self.change(
            users, user_id, sessions=sessions, tokens=tokens, devices=devices, is_active=False
        )

    async def grant(self, users: UserRepository, user_id: UserId, role: str) -> User:
        user = await users.get_locked(user_id)
        return await self._save(users, user.with_roles(user.roles | {role}, self.clock.now()))

    async def revoke(self, users: UserRepository, user_id: UserId, role: str) -> User:
        """Take the role from the account. A role that the account does not have is no error. Raises UserNotFound,
        LastAdmin, LastBreakGlass."""
        admins = await users.count_active_admins(locked=True)
        user = await users.get_locked(user_id)
        return await self._save_unless_last(
            users, user, user.with_roles(user.roles - {role}, self.clock.now()), admins
        )

    async def mark_break_glass(self, users: UserRepository, user_id: UserId) -> User:
        """Mark the account as the only one that may use its password where passwords are switched off. Raises
        UserNotFound, and NotAllowed unless it is an active admin with a password."""
        # The lock keeps two commands from marking one account each.
        await users.count_active_admins(locked=True)
        user, now = await users.get_locked(user_id), self.clock.now()
        if not user.is_acting_admin or user.password_hash is None:
            raise NotAllowed("A break-glass account must be an active admin with a password.")
        for other in await users.break_glass():
            if other.id != user.id:
                await self._save(users, other.marked_break_glass(now, is_marked=False))
        return await self._save(users, user.marked_break_glass(now, is_marked=True))

    async def unmark_break_glass(self, users: UserRepository, user_id: UserId) -> User:
        """Raises UserNotFound."""
        user = await users.get_locked(user_id)
        return await self._save(users, user.marked_break_glass(self.clock.now(), is_marked=False))

    async def manage_roles(
        self,
        users: UserRepository,
        user_id: UserId,
        *,
        managed: Collection[str],
        granted: Collection[str],
    ) -> tuple[User, User]:
        """Of the `managed` roles, give the account those that are `granted` and take the others; leave all other roles.
        The last active admin and the break-glass account stay admins, so that no provider can close the way in for the
        day on which it does not work. Lock the account. Return it before and after. Raises UserNotFound."""
        admins = await users.count_active_admins(locked=True) if ADMIN in managed else 0
        user = await users.get_locked(user_id)
        roles = (user.roles - frozenset(managed)) | (frozenset(granted) & frozenset(managed))
        if user.is_acting_admin and (admins == 1 or user.is_break_glass):
            roles |= {ADMIN}
        if roles == user.roles:
            return user, user
        return user, await self._save(users, user.with_roles(roles, self.clock.now()))

    async def change(
        self,
        users: UserRepository,
        user_id: UserId,
        *,
        sessions: SessionRepository,
        tokens: AccessTokenRepository,
        devices: KnownDeviceRepository,
        name: str | None = None,
        roles: Iterable[str] | None = None,
        is_active: bool | None = None,
    ) -> User:
        """Change each field that is not None. Disabling also ends the account's sessions and access tokens, and forgets its
        devices. Raises UserNotFound, NameInvalid, RoleInvalid, LastAdmin, LastBreakGlass."""
        user = await self._change(users, user_id, name=name, roles=roles, is_active=is_active)
        if not user.is_active:
            await sessions.remove([session.id for session in await sessions.of_user(user_id)])
            await tokens.remove([token.id for token in await tokens.of_user(user_id)])
            await devices.remove_of_user(user_id)
        return user

    async def _change(
        self,
        users: UserRepository,
        user_id: UserId,
        *,
        name: str | None = None,
        roles: Iterable[str] | None = None,
        is_active: bool | None = None,
    ) -> User:
        admins = await users.count_active_admins(locked=True)
        before, now = await users.get_locked(user_id), self.clock.now()
        after = before if name is None else before.renamed(name, now)
        if roles is not None:
            after = after.with_roles(roles, now)
        if is_active is not None:
            after = after.enabled(now) if is_active else after.disabled(now)
        return await self._save_unless_last(users, before, after, admins)

    async def _save_unless_last(
        self, users: UserRepository, before: User, after: User, admins: int
    ) -> User:
        """Save the account. Raises LastAdmin, LastBreakGlass. `admins` is the number of active admins, counted under a
        lock."""
        if before.is_acting_admin and not after.is_acting_admin:
            if admins == 1:
                raise LastAdmin
            if before.is_break_glass and not self.password_sign_in:
                raise LastBreakGlass
        return await self._save(users, after)

    async def _save(self, users: UserRepository, user: User) -> User:
        await users.save(user)
        return user
