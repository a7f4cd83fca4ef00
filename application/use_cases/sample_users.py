"""Use cases of the sample users, whose password is public."""

from dataclasses import dataclass

from domain.errors import EmailTaken
from domain.model.user import Email, canonical_email
from domain.ports.security import PasswordHasher
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.users import UserService

SAMPLE_PASSWORD = "secret"  # noqa: S105 -- For dev only; refused in prod.
SAMPLE_USERS = (("john@test.com", "John"), ("jane@test.com", "Jane"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSampleUsers:
    """The password of these accounts is public. So prod refuses to start with GRADIOAPP_SAMPLE_USERS."""

    units_of_work: UnitsOfWork
    users: UserService
    hasher: PasswordHasher

    async def __call__(self) -> None:
        """Add the sample users that do not exist yet."""
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
        """Return the sample users who could sign in with the publicly known password."""
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
