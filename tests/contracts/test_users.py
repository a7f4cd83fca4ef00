"""Promises of every storage about accounts."""

import asyncio
from uuid import UUID

import pytest

from adapters.system.clock import StoppedClock
from adapters.system.ids import RandomIds
from domain.errors import EmailTaken, LastAdmin, SetupClosed, UserNotFound
from domain.model.user import User, UserId, canonical_email
from domain.ports.unit_of_work import UnitsOfWork
from domain.services.users import UserService
from tests.builders import NOON, a_user, an_admin
from tests.contracts.conftest import Storage

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY = UserId(UUID(int=2**127))


async def stored(units: UnitsOfWork, user_id: UserId) -> User:
    async with units.reading() as work:
        return await work.users.get(user_id)


async def added(units: UnitsOfWork, user: User) -> None:
    async with units.writing() as work:
        await work.users.add(user)
        await work.commit()


async def test_an_added_account_comes_back_as_it_was(units: UnitsOfWork) -> None:
    ada = a_user(name="Ada Löwe", roles={"admin", "data-team_2"}, password_hash=None)

    await added(units, ada)

    assert await stored(units, ada.id) == ada


async def test_adding_raises_email_taken_when_another_account_has_the_email(
    storage: Storage,
) -> None:
    await storage.has(a_user(email="ada@example.org"))

    with pytest.raises(EmailTaken):
        await added(storage.units, a_user(email="ada@example.org"))


async def test_one_of_two_concurrent_registrations_of_one_email_raises_email_taken(
    units: UnitsOfWork,
) -> None:
    registrations = [added(units, a_user(email="ada@example.org")) for _ in range(2)]

    results = await asyncio.gather(*registrations, return_exceptions=True)

    assert [type(result) for result in results if result is not None] == [EmailTaken]


async def test_the_unit_of_work_can_go_on_after_a_refusal(storage: Storage) -> None:
    await storage.has(a_user(email="ada@example.org"))
    grace = a_user(email="grace@example.org")

    async with storage.units.writing() as work:
        with pytest.raises(EmailTaken):
            await work.users.add(a_user(email="ada@example.org"))
        await work.users.add(grace)
        await work.commit()

    assert await stored(storage.units, grace.id) == grace


async def test_saving_updates_every_changeable_field(storage: Storage) -> None:
    ada = a_user(roles={"analyst", "admin"})
    await storage.has(ada)
    changed = (
        ada.renamed("Augusta", NOON)
        .with_password("another hash", NOON)
        .with_roles({"admin", "editor"}, NOON)
        .disabled(NOON)
    )

    async with storage.units.writing() as work:
        await work.users.save(changed)
        await work.commit()

    assert await stored(storage.units, ada.id) == changed


async def test_saving_without_roles_removes_all_roles(storage: Storage) -> None:
    ada = an_admin()
    await storage.has(ada)

    async with storage.units.writing() as work:
        await work.users.save(ada.with_roles((), NOON))
        await work.commit()

    assert (await stored(storage.units, ada.id)).roles == frozenset()


async def test_saving_never_inserts_and_raises_user_not_found(units: UnitsOfWork) -> None:
    ada = a_user(roles={"admin"})

    async with units.writing() as work:
        with pytest.raises(UserNotFound):
            await work.users.save(ada)
        await work.commit()

    async with units.reading() as work:
        assert await work.users.find_by_email(ada.email) is None


async def test_saving_raises_email_taken_as_adding_does(storage: Storage) -> None:
    ada, grace = a_user(email="ada@example.org"), a_user(email="grace@example.org")
    await storage.has(ada, grace)

    async with storage.units.writing() as work:
        with pytest.raises(EmailTaken):
            await work.users.save(a_user(id=grace.id, email="ada@example.org"))


async def test_getting_an_unknown_account_raises_user_not_found(units: UnitsOfWork) -> None:
    async with units.writing() as work:
        with pytest.raises(UserNotFound):
            await work.users.get(NOBODY)
        with pytest.raises(UserNotFound):
            await work.users.get_locked(NOBODY)


async def test_nobody_else_can_change_a_locked_account(storage: Storage) -> None:
    ada = a_user()
    await storage.has(ada)

    async def grant(role: str) -> None:
        async with storage.units.writing() as work:
            user = await work.users.get_locked(ada.id)
            await work.users.save(user.with_roles(user.roles | {role}, NOON))
            await work.commit()

    await asyncio.gather(*(grant(f"role{n}") for n in range(20)))

    assert (await stored(storage.units, ada.id)).roles == {f"role{n}" for n in range(20)}


async def test_finding_by_email_returns_the_account_with_exactly_this_email(
    storage: Storage,
) -> None:
    ada = a_user(email="ada@example.org", roles={"admin"})
    await storage.has(ada, a_user(email="ada@example.or"))

    async with storage.units.reading() as work:
        assert await work.users.find_by_email(ada.email) == ada
        assert await work.users.find_by_email(canonical_email("da@example.org")) is None
        assert await work.users.find_by_email(canonical_email("%@example.org")) is None


async def test_a_page_has_at_most_limit_accounts_ordered_by_email(
    storage: Storage,
) -> None:
    emails = [
        "a-b@example.org",
        "a.b@example.org",
        "aa@example.org",
        "z@example.org",
        "ä@example.org",
    ]
    await storage.has(*(a_user(email=email) for email in reversed(emails)))

    async with storage.units.reading() as work:
        everybody = await work.users.page(limit=10)
        first = await work.users.page(limit=2)
        second = await work.users.page(limit=2, after=first[-1].id)
        third = await work.users.page(limit=2, after=second[-1].id)

    assert [user.email for user in everybody] == emails
    assert [*first, *second, *third] == list(everybody)


async def test_a_page_after_a_missing_account_starts_at_the_beginning(
    storage: Storage,
) -> None:
    ada = a_user()
    await storage.has(ada)

    async with storage.units.reading() as work:
        assert list(await work.users.page(limit=1, after=NOBODY)) == [ada]


async def test_a_search_looks_in_email_and_name_ignoring_case_and_takes_wildcards_literally(
    storage: Storage, subtests: pytest.Subtests
) -> None:
    await storage.has(
        a_user(name="Frau Ärger"),
        a_user(name="Straße"),
        a_user(name="100 %"),
        a_user(name="snake_case"),
        a_user(name="back\\slash"),
        a_user(name="sla/sh"),
        a_user(email="mira@example.org", name="Mira"),
    )

    for search, names in [
        ("ärger", ["Frau Ärger"]),
        ("A\N{COMBINING DIAERESIS}RGER", ["Frau Ärger"]),
        ("strasse", ["Straße"]),
        ("%", ["100 %"]),
        ("_", ["snake_case"]),
        ("\\", ["back\\slash"]),
        ("/", ["sla/sh"]),
        ("MIRA@", ["Mira"]),
        ("mira frau", []),
        ("a@example.org\nmi", []),
        ("\0", []),
        ("\ud800", []),
        ("nobody", []),
        ("", ["100 %", "Frau Ärger", "Mira", "Straße", "back\\slash", "sla/sh", "snake_case"]),
    ]:
        with subtests.test(search=search, names=names):
            async with storage.units.reading() as work:
                found = await work.users.page(limit=10, search=search)

            assert sorted(user.name for user in found) == names


async def test_search_results_are_paged(storage: Storage) -> None:
    ada, anna = a_user(name="Ada"), a_user(name="Anna")
    await storage.has(ada, a_user(name="Otto"), anna)

    async with storage.units.reading() as work:
        assert list(await work.users.page(limit=1, after=ada.id, search="NA")) == [anna]
        assert list(await work.users.page(limit=1, after=anna.id, search="NA")) == []


async def test_only_active_admins_are_counted(storage: Storage) -> None:
    await storage.has(an_admin(), an_admin(), an_admin(is_active=False), a_user(roles={"analyst"}))

    async with storage.units.writing() as work:
        assert await work.users.count_active_admins() == 2
        assert await work.users.count_active_admins(locked=True) == 2


async def test_only_one_of_two_concurrent_set_ups_makes_the_first_admin(units: UnitsOfWork) -> None:
    async def set_up() -> None:
        async with units.writing() as work:
            if await work.users.count_active_admins(locked=True):
                raise SetupClosed
            await work.users.add(an_admin())
            await work.commit()

    results = await asyncio.gather(set_up(), set_up(), return_exceptions=True)

    assert [type(result) for result in results if result is not None] == [SetupClosed]
    async with units.reading() as work:
        assert await work.users.count_active_admins() == 1


async def test_one_of_two_admins_who_disable_each_other_concurrently_stays_active(
    storage: Storage,
) -> None:
    ada, grace = an_admin(), an_admin()
    await storage.has(ada, grace)
    service = UserService(clock=StoppedClock(), ids=RandomIds())

    async def disable(user: User) -> None:
        async with storage.units.writing() as work:
            await service.disable(
                work.users,
                user.id,
                sessions=work.sessions,
                tokens=work.access_tokens,
                devices=work.known_devices,
            )
            await work.commit()

    results = await asyncio.gather(disable(ada), disable(grace), return_exceptions=True)

    assert [type(result) for result in results if result is not None] == [LastAdmin]
    async with storage.units.reading() as work:
        assert await work.users.count_active_admins() == 1
