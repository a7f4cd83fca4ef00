"""Use cases that list and change accounts, for their owners and for admins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.errors import UserNotFound
from domain.model.audit import Act, role_changes
from domain.model.caller import Caller
from domain.model.user import (
    ADMIN,
    LONGEST_SEARCH,
    User,
    UserId,
    canonical_email,
    checked_name,
    checked_roles,
)
from domain.ports.security import PasswordHasher
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.admins import must_administer
from domain.services.audit import AuditService
from domain.services.confirmations import ConfirmationService
from domain.services.passwords import PasswordService
from domain.services.users import UserService


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUser:
    units_of_work: UnitsOfWork
    users: UserService
    passwords: PasswordService
    confirmations: ConfirmationService
    hasher: PasswordHasher
    audit: AuditService

    async def __call__(
        self,
        caller: Caller,
        *,
        email: str,
        name: str = "",
        password: str | None,
        roles: Iterable[str] = (),
    ) -> User:
        """Make an account; admins only. An empty name becomes the e-mail's local part; without a password nobody can
        sign in with one yet. A program can set neither a password nor roles. Raises ConfirmationNeeded, NotAllowed,
        EmailInvalid, NameInvalid, RoleInvalid, PasswordInvalid, EmailTaken."""
        async with self.audit.act(Act.CREATE_USER, by=caller) as entry:
            user = await self._made(caller, email, name, password, roles)
            entry.of, entry.details = user.id, role_changes(frozenset(), user.roles)
        return user

    async def _made(
        self, caller: Caller, email: str, name: str, password: str | None, roles: Iterable[str]
    ) -> User:
        caller.must_have(ADMIN)
        canonical = canonical_email(email)
        name = checked_name(name.strip() or canonical.partition("@")[0])
        wanted = checked_roles(roles)
        needs_confirmation = password is not None or bool(wanted)
        if needs_confirmation:
            async with self.units_of_work.reading() as work:
                await self.confirmations.must_be_confirmed(work.sessions, caller)
        password_hash = None
        if password is not None:
            self.passwords.must_be_acceptable(password, email=canonical, name=name)
            password_hash = await self.hasher.hash(password)
        async with self.units_of_work.writing() as work:
            await must_administer(work.users, caller)
            if needs_confirmation:
                # Again: hashing takes its time, and the caller's session may have ended meanwhile.
                await self.confirmations.must_be_confirmed(work.sessions, caller)
            user = await self.users.make(
                work.users, email=canonical, name=name, password_hash=password_hash, roles=wanted
            )
            await work.commit()
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUsers:
    units_of_work: UnitsOfWork

    async def __call__(
        self, caller: Caller, *, limit: int = 50, after: UserId | None = None, search: str = ""
    ) -> Sequence[User]:
        """Return accounts ordered by e-mail; `search` looks in e-mail and name. Admins only. Raises NotAllowed."""
        async with self.units_of_work.reading() as work:
            await must_administer(work.users, caller)
            if len(search) > LONGEST_SEARCH:
                return ()
            return await work.users.page(limit=limit, after=after, search=search)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUser:
    units_of_work: UnitsOfWork

    async def __call__(self, caller: Caller, user_id: UserId) -> User:
        """Raises NotAllowed, UserNotFound."""
        async with self.units_of_work.reading() as work:
            if caller.user_id != user_id:
                await must_administer(work.users, caller)
            return await work.users.get(user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindUser:
    units_of_work: UnitsOfWork

    async def __call__(self, caller: Caller, email: str) -> User:
        """Admins only. Raises NotAllowed, EmailInvalid, UserNotFound."""
        canonical = canonical_email(email)
        async with self.units_of_work.reading() as work:
            await must_administer(work.users, caller)
            user = await work.users.find_by_email(canonical)
        if user is None:
            raise UserNotFound
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameUser:
    units_of_work: UnitsOfWork
    users: UserService
    cache: SessionCache
    audit: AuditService

    async def __call__(self, caller: Caller, user_id: UserId, name: str) -> User:
        """Rename the caller's own account, or any account if the caller is an admin. Raises NotAllowed, NameInvalid,
        UserNotFound."""
        async with (
            self.audit.act(Act.CHANGE_USER, by=caller, of=user_id),
            self.units_of_work.writing() as work,
        ):
            if caller.user_id != user_id:
                await must_administer(work.users, caller)
            user = await self.users.rename(work.users, user_id, name)
            await work.commit()
        self.cache.drop_user(user_id)
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeUser:
    units_of_work: UnitsOfWork
    users: UserService
    confirmations: ConfirmationService
    cache: SessionCache
    audit: AuditService

    async def __call__(
        self,
        caller: Caller,
        user_id: UserId,
        *,
        name: str | None = None,
        roles: Iterable[str] | None = None,
        is_active: bool | None = None,
    ) -> User:
        """Change each field that is not None, all or nothing (ASVS 2.3.3); admins only. Other roles, and enabling the
        account, need a confirmation, and a program may not do them. Disabling ends the account's sessions and access
        tokens, and forgets its devices. Raises ConfirmationNeeded, NotAllowed, UserNotFound, NameInvalid, RoleInvalid,
        LastAdmin, LastBreakGlass."""
        async with (
            self.audit.act(_act(roles, is_active), by=caller, of=user_id) as entry,
            self.units_of_work.writing() as work,
        ):
            await must_administer(work.users, caller)
            # The lock of the admins before that of the account, as everywhere: two changes must not wait for each other.
            await work.users.count_active_admins(locked=True)
            before = await work.users.get_locked(user_id)
            if roles is not None:
                roles = checked_roles(roles)
                entry.details = role_changes(before.roles, roles)
            if _gives_power(before, roles, is_active=is_active):
                await self.confirmations.must_be_confirmed(work.sessions, caller)
            user = await self.users.change(
                work.users,
                user_id,
                sessions=work.sessions,
                tokens=work.access_tokens,
                devices=work.known_devices,
                name=name,
                roles=roles,
                is_active=is_active,
            )
            await work.commit()
        self.cache.drop_user(user_id)
        return user


def _gives_power(before: User, roles: frozenset[str] | None, *, is_active: bool | None) -> bool:
    """Return whether the change gives the account other roles, or lets its owner sign in again."""
    return roles not in {None, before.roles} or (is_active is True and not before.is_active)


def _act(roles: object, is_active: bool | None) -> Act:  # noqa: FBT001 -- It is a value, no switch.
    """Return the name of a change, after the most important field in it."""
    if is_active is False:
        return Act.DISABLE_USER
    return Act.CHANGE_USER if roles is None else Act.CHANGE_ROLES


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableUser:
    units_of_work: UnitsOfWork
    users: UserService
    cache: SessionCache
    audit: AuditService

    async def __call__(self, caller: Caller, user_id: UserId) -> User:
        """Disable an account, end its sessions and access tokens (ASVS 7.4.2) and forget its devices; admins only. Raises NotAllowed,
        UserNotFound, LastAdmin, LastBreakGlass."""
        async with (
            self.audit.act(Act.DISABLE_USER, by=caller, of=user_id),
            self.units_of_work.writing() as work,
        ):
            await must_administer(work.users, caller)
            user = await self.users.disable(
                work.users,
                user_id,
                sessions=work.sessions,
                tokens=work.access_tokens,
                devices=work.known_devices,
            )
            await work.commit()
        self.cache.drop_user(user_id)
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableUser:
    units_of_work: UnitsOfWork
    users: UserService
    confirmations: ConfirmationService
    audit: AuditService

    async def __call__(self, caller: Caller, user_id: UserId) -> User:
        """Let the owner of a disabled account sign in again; admins only, and a program may not do this. Raises
        ConfirmationNeeded, NotAllowed, UserNotFound."""
        async with (
            self.audit.act(Act.CHANGE_USER, by=caller, of=user_id, is_active=True),
            self.units_of_work.writing() as work,
        ):
            await must_administer(work.users, caller)
            await self.confirmations.must_be_confirmed(work.sessions, caller)
            user = await self.users.enable(work.users, user_id)
            await work.commit()
        return user
