"""Accounts: who may make and change them, and what must stay true of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from domain.errors import LastAdmin, NotAllowed, UserNotFound
from domain.model.caller import Caller
from domain.model.user import ADMIN, Email, User, UserId, checked_name, checked_roles
from domain.ports.repositories import UserRepository
from domain.ports.system import Clock, IdGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class UserService:
    clock: Clock
    ids: IdGenerator

    async def must_administer(self, users: UserRepository, caller: Caller) -> None:
        """Raises NotAllowed unless the caller is an active admin in the store now, not only when the session was
        last read (ASVS 8.3.2)."""
        caller.must_have(ADMIN)
        if caller.user_id is None:
            return
        try:
            user = await users.get(caller.user_id)
        except UserNotFound as error:
            raise NotAllowed from error
        if not user.is_acting_admin:
            raise NotAllowed

    def must_be_free_to_give(self, roles: Collection[str], caller: Caller) -> None:
        """Raises NotAllowed where a program would make an admin: one that leaked would outlive its own end."""
        if ADMIN in roles:
            caller.must_be_a_person()

    async def make(
        self,
        users: UserRepository,
        *,
        email: Email,
        name: str,
        password_hash: str | None,
        roles: Iterable[str] = (),
    ) -> User:
        """Raises NameInvalid, RoleInvalid, EmailTaken."""
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
        return await self.change(users, user_id, name=name)

    async def set_password(self, users: UserRepository, user: User, password_hash: str) -> User:
        return await self._save(users, user.with_password(password_hash, self.clock.now()))

    async def enable(self, users: UserRepository, user_id: UserId) -> User:
        return await self.change(users, user_id, is_active=True)

    async def disable(self, users: UserRepository, user_id: UserId) -> User:
        """Raises LastAdmin."""
        return await self.change(users, user_id, is_active=False)

    async def grant(self, users: UserRepository, user_id: UserId, role: str) -> User:
        user = await users.get_locked(user_id)
        return await self._save(users, user.with_roles(user.roles | {role}, self.clock.now()))

    async def revoke(self, users: UserRepository, user_id: UserId, role: str) -> User:
        """Raises LastAdmin; a role the account does not have is no error."""
        admins = await users.acting_admins(locked=True)
        user = await users.get_locked(user_id)
        return await self._save_unless_last(
            users, user, user.with_roles(user.roles - {role}, self.clock.now()), admins
        )

    async def change(
        self,
        users: UserRepository,
        user_id: UserId,
        *,
        name: str | None = None,
        roles: Iterable[str] | None = None,
        is_active: bool | None = None,
    ) -> User:
        """What is None stays as it is. Raises UserNotFound, NameInvalid, RoleInvalid, LastAdmin."""
        admins = await users.acting_admins(locked=True)
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
        """`admins`: how many act now, counted under a lock."""
        if before.is_acting_admin and not after.is_acting_admin and admins == 1:
            raise LastAdmin
        return await self._save(users, after)

    async def _save(self, users: UserRepository, user: User) -> User:
        await users.save(user)
        return user
