"""Accounts, changed by their owner or by an admin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.errors import EmailTaken, NotAllowed, UserNotFound
from domain.model.caller import Caller
from domain.model.password import checked_new_password
from domain.model.user import (
    ADMIN,
    LONGEST_SEARCH,
    Email,
    User,
    UserId,
    canonical_email,
    checked_name,
    checked_role,
    checked_roles,
)
from domain.ports.security import PasswordHasher
from domain.ports.session_cache import SessionCache
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.auth import AuthService
from domain.services.sessions import SessionService
from domain.services.tokens import TokenService
from domain.services.users import UserService

SAMPLE_PASSWORD = "secret"  # noqa: S105 -- The author's words; refused in prod.
SAMPLE_USERS = (("john@test.com", "John"), ("jane@test.com", "Jane"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUser:
    units_of_work: UnitsOfWork
    users: UserService
    hasher: PasswordHasher

    async def __call__(
        self,
        caller: Caller,
        *,
        email: str,
        name: str = "",
        password: str | None,
        roles: Iterable[str] = (),
    ) -> User:
        """Admins only. Without a name the e-mail's local part serves; without a password nobody can sign in to it yet.
        A program of theirs can neither choose a password nor make an admin.
        Raises NotAllowed, EmailInvalid, NameInvalid, RoleInvalid, PasswordInvalid, EmailTaken."""
        caller.must_have(ADMIN)
        if password is not None:
            caller.must_be_a_person()
        canonical = canonical_email(email)
        called = checked_name(name.strip() or canonical.partition("@")[0])
        wanted = checked_roles(roles)
        self.users.must_be_free_to_give(wanted, caller)
        password_hash = None
        if password is not None:
            checked_new_password(password, email=canonical, name=called)
            password_hash = await self.hasher.hash(password)
        async with self.units_of_work.writing() as work:
            await self.users.must_administer(work.users, caller)
            user = await self.users.make(
                work.users, email=canonical, name=called, password_hash=password_hash, roles=wanted
            )
            await work.commit()
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSampleUsers:
    """For trying things out, dev only: settings refuse it in prod."""

    units_of_work: UnitsOfWork
    users: UserService
    hasher: PasswordHasher

    async def __call__(self) -> None:
        """Those that exist already stay as they are."""
        password_hash = await self.hasher.hash(SAMPLE_PASSWORD)
        for email, name in SAMPLE_USERS:
            try:
                async with self.units_of_work.writing() as work:
                    await self.users.make(
                        work.users,
                        email=canonical_email(email),
                        name=name,
                        password_hash=password_hash,
                    )
                    await work.commit()
            except EmailTaken:
                continue


@dataclass(frozen=True, slots=True, kw_only=True)
class FindSampleUsers:
    units_of_work: UnitsOfWork
    hasher: PasswordHasher

    async def __call__(self) -> list[Email]:
        """Those that could sign in with the password everybody knows."""
        async with self.units_of_work.reading() as work:
            found = [
                await work.users.find_by_email(canonical_email(email)) for email, _ in SAMPLE_USERS
            ]
        return [
            user.email
            for user in found
            if user is not None
            and user.is_active
            and (await self.hasher.verify(SAMPLE_PASSWORD, user.password_hash)).matches
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUsers:
    units_of_work: UnitsOfWork
    users: UserService

    async def __call__(
        self, caller: Caller, *, limit: int = 50, after: UserId | None = None, search: str = ""
    ) -> Sequence[User]:
        """In the order of their e-mail; `search` finds in e-mail and name. Raises NotAllowed."""
        async with self.units_of_work.reading() as work:
            await self.users.must_administer(work.users, caller)
            if len(search) > LONGEST_SEARCH:
                return ()
            return await work.users.page(limit=limit, after=after, search=search)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUser:
    units_of_work: UnitsOfWork
    users: UserService

    async def __call__(self, caller: Caller, user_id: UserId) -> User:
        """Raises NotAllowed, UserNotFound."""
        async with self.units_of_work.reading() as work:
            if caller.user_id != user_id:
                await self.users.must_administer(work.users, caller)
            return await work.users.get(user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindUser:
    units_of_work: UnitsOfWork
    users: UserService

    async def __call__(self, caller: Caller, email: str) -> User:
        """Admins only. Raises NotAllowed, EmailInvalid, UserNotFound."""
        canonical = canonical_email(email)
        async with self.units_of_work.reading() as work:
            await self.users.must_administer(work.users, caller)
            user = await work.users.find_by_email(canonical)
        if user is None:
            raise UserNotFound
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameUser:
    units_of_work: UnitsOfWork
    users: UserService
    cache: SessionCache

    async def __call__(self, caller: Caller, user_id: UserId, name: str) -> User:
        """One's own name, or as an admin anybody's. Raises NotAllowed, NameInvalid, UserNotFound."""
        async with self.units_of_work.writing() as work:
            if caller.user_id != user_id:
                await self.users.must_administer(work.users, caller)
            user = await self.users.rename(work.users, user_id, name)
            await work.commit()
        self.cache.drop_user(user_id)
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeUser:
    units_of_work: UnitsOfWork
    users: UserService
    sessions: SessionService
    tokens: TokenService
    cache: SessionCache

    async def __call__(
        self,
        caller: Caller,
        user_id: UserId,
        *,
        name: str | None = None,
        roles: Iterable[str] | None = None,
        is_active: bool | None = None,
    ) -> User:
        """Admins only, and no program of theirs makes an admin; all of it or nothing, and what is None stays as it is
        (ASVS 2.3.3). Disabling ends the account's sessions and access tokens. Raises NotAllowed, UserNotFound, NameInvalid, RoleInvalid, LastAdmin."""
        async with self.units_of_work.writing() as work:
            await self.users.must_administer(work.users, caller)
            if roles is not None:
                had = (await work.users.get_locked(user_id)).roles
                roles = frozenset(roles)
                self.users.must_be_free_to_give(roles - had, caller)
            user = await self.users.change(
                work.users, user_id, name=name, roles=roles, is_active=is_active
            )
            if not user.is_active:
                await self.sessions.end_all(work.sessions, user_id)
                await self.tokens.end_all(work.access_tokens, user_id)
            await work.commit()
        self.cache.drop_user(user_id)
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword:
    units_of_work: UnitsOfWork
    auth: AuthService
    users: UserService
    sessions: SessionService
    hasher: PasswordHasher
    cache: SessionCache

    async def __call__(self, caller: Caller, *, current: str, new: str, address: str) -> int:
        """One's own; every other session of the account ends (ASVS 7.4.3), and how many did is answered; access tokens
        stay. Wrong current passwords are throttled like sign-ins. Raises NotAllowed for a program,
        WrongPassword, PasswordInvalid, SignInThrottled, HashingBusy, SignInRefused when it was changed meanwhile."""
        caller.must_be_a_person()
        if caller.user_id is None:
            raise NotAllowed
        async with self.units_of_work.reading() as work:
            before = await work.users.get(caller.user_id)
        checked_new_password(new, email=before.email, name=before.name)
        self.auth.attempt(address=address, account=before.email)
        await self.auth.confirm(before, current)
        self.auth.attempt_was_honest(address=address, account=before.email)
        self.auth.must_differ(current, new)
        password_hash = await self.hasher.hash(new)
        async with self.units_of_work.writing() as work:
            user = await work.users.get_locked(caller.user_id)
            self.auth.must_be_unchanged(user, since=before)
            await self.users.set_password(work.users, user, password_hash)
            ended = await self.sessions.end_all(work.sessions, user.id, keep=caller.session_id)
            await work.commit()
        self.cache.drop_user(caller.user_id)
        return len(ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPassword:
    units_of_work: UnitsOfWork
    users: UserService
    sessions: SessionService
    hasher: PasswordHasher
    cache: SessionCache

    async def __call__(self, caller: Caller, user_id: UserId, password: str) -> None:
        """Admins only, and no program of theirs; all sessions of the account end, access tokens stay. Raises NotAllowed, UserNotFound, PasswordInvalid, HashingBusy."""
        caller.must_be_a_person()
        async with self.units_of_work.reading() as work:
            await self.users.must_administer(work.users, caller)
            user = await work.users.get(user_id)
        checked_new_password(password, email=user.email, name=user.name)
        password_hash = await self.hasher.hash(password)
        async with self.units_of_work.writing() as work:
            await self.users.must_administer(work.users, caller)
            user = await work.users.get_locked(user_id)
            await self.users.set_password(work.users, user, password_hash)
            await self.sessions.end_all(work.sessions, user_id)
            await work.commit()
        self.cache.drop_user(user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableUser:
    units_of_work: UnitsOfWork
    users: UserService
    sessions: SessionService
    tokens: TokenService
    cache: SessionCache

    async def __call__(self, caller: Caller, user_id: UserId) -> User:
        """Admins only; all sessions and access tokens of the account end with it (ASVS 7.4.2). Raises NotAllowed, UserNotFound, LastAdmin."""
        async with self.units_of_work.writing() as work:
            await self.users.must_administer(work.users, caller)
            user = await self.users.disable(work.users, user_id)
            await self.sessions.end_all(work.sessions, user_id)
            await self.tokens.end_all(work.access_tokens, user_id)
            await work.commit()
        self.cache.drop_user(user_id)
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableUser:
    units_of_work: UnitsOfWork
    users: UserService

    async def __call__(self, caller: Caller, user_id: UserId) -> User:
        """Admins only. Raises NotAllowed, UserNotFound."""
        async with self.units_of_work.writing() as work:
            await self.users.must_administer(work.users, caller)
            user = await self.users.enable(work.users, user_id)
            await work.commit()
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRole:
    units_of_work: UnitsOfWork
    users: UserService
    cache: SessionCache

    async def __call__(self, caller: Caller, user_id: UserId, role: str) -> User:
        """Admins only, and no program of theirs makes an admin. Raises NotAllowed, UserNotFound, RoleInvalid."""
        checked_role(role)
        self.users.must_be_free_to_give({role}, caller)
        async with self.units_of_work.writing() as work:
            await self.users.must_administer(work.users, caller)
            user = await self.users.grant(work.users, user_id, role)
            await work.commit()
        self.cache.drop_user(user_id)
        return user


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeRole:
    units_of_work: UnitsOfWork
    users: UserService
    cache: SessionCache

    async def __call__(self, caller: Caller, user_id: UserId, role: str) -> User:
        """Admins only. Raises NotAllowed, UserNotFound, RoleInvalid, LastAdmin."""
        checked_role(role)
        async with self.units_of_work.writing() as work:
            await self.users.must_administer(work.users, caller)
            user = await self.users.revoke(work.users, user_id, role)
            await work.commit()
        self.cache.drop_user(user_id)
        return user
