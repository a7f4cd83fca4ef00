"""The fair order alone: the next account, and no account waits for ever."""

from uuid import UUID

import pytest

from domain.model.user import UserId
from entrypoints.ui.limits import half_of
from entrypoints.ui.queueing.turns import FORGOTTEN_AFTER, HALF_LIFE, Account, Turns

ADA, BOB, EVE = (UserId(UUID(int=number)) for number in (1, 2, 3))


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class OneWorker:
    """Run one of the waiting events at a time, in the order of the turns."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.waiting: list[tuple[Account, float]] = []

    def joins(self, account: Account, *, times: int = 1) -> None:
        self.waiting += [(account, self.clock.seconds)] * times

    def begins(self) -> Account:
        first: dict[Account, float] = {}
        for account, since in self.waiting:
            first.setdefault(account, since)
        account = self.turns.next_of(first)
        self.waiting.remove((account, first[account]))
        self.turns.begin(account)
        return account

    def runs(self, *, seconds: float) -> Account:
        account = self.begins()
        self.clock.seconds += seconds
        self.turns.end(account, {account: seconds})
        return account


@pytest.fixture
def worker() -> OneWorker:
    return OneWorker()


def test_the_first_to_arrive_goes_first_among_accounts_that_have_not_run(worker: OneWorker) -> None:
    worker.joins(BOB)
    worker.clock.seconds += 1
    worker.joins(ADA)

    assert [worker.runs(seconds=1), worker.runs(seconds=1)] == [BOB, ADA]


def test_one_event_of_an_account_starts_before_a_hundred_of_another(worker: OneWorker) -> None:
    worker.joins(EVE, times=100)
    assert worker.begins() == EVE
    worker.clock.seconds += 5
    worker.turns.end(EVE, {EVE: 5})
    worker.joins(ADA)

    assert worker.runs(seconds=1) == ADA


def test_an_account_that_runs_an_event_comes_after_one_that_runs_none(worker: OneWorker) -> None:
    worker.turns.begin(ADA)
    worker.turns.end(ADA, {ADA: 60})
    worker.joins(EVE, times=2)
    assert worker.begins() == EVE
    worker.joins(ADA)

    assert worker.begins() == ADA


def test_the_account_with_less_running_time_comes_first_however_often_it_ran(
    worker: OneWorker,
) -> None:
    worker.joins(EVE, times=2)
    worker.runs(seconds=10)
    worker.joins(ADA, times=9)

    assert [worker.runs(seconds=1) for _ in range(9)] == [ADA] * 9
    assert worker.runs(seconds=1) == EVE


def test_very_short_runs_count(worker: OneWorker) -> None:
    worker.joins(EVE, times=50)
    worker.joins(ADA, times=50)

    assert [worker.runs(seconds=0) for _ in range(6)] == [EVE, ADA] * 3


def test_a_run_counts_half_after_the_half_life(worker: OneWorker) -> None:
    worker.joins(EVE, times=2)
    worker.runs(seconds=8)
    worker.clock.seconds += HALF_LIFE
    worker.joins(ADA, times=2)
    worker.runs(seconds=5)  # Ada's run. Eve's eight seconds count for less than four by now.

    assert worker.runs(seconds=1) == EVE


def test_an_account_that_used_idle_time_waits_no_longer_than_the_half_life(
    worker: OneWorker,
) -> None:
    worker.joins(EVE, times=60)
    for _ in range(59):
        worker.runs(seconds=3600)
    worker.joins(ADA, times=1000)
    begun = worker.clock.seconds
    while worker.runs(seconds=1) is not EVE:
        pass

    assert 0.9 * HALF_LIFE < worker.clock.seconds - begun < 1.1 * HALF_LIFE


@pytest.mark.parametrize("seconds", [0.1, 1, 30])
def test_no_account_starves_among_many_that_always_have_events(
    worker: OneWorker, seconds: float
) -> None:
    people: list[Account] = [UserId(UUID(int=number)) for number in range(20)]
    for number, person in enumerate(people):
        worker.joins(person)
        worker.runs(seconds=number * 10)
    for person in people:
        worker.joins(person)
    begun, last_served = worker.clock.seconds, dict.fromkeys(people, worker.clock.seconds)
    longest = 0.0
    while worker.clock.seconds < begun + 20 * HALF_LIFE:
        person = worker.begins()
        longest = max(longest, worker.clock.seconds - last_served[person])
        last_served[person] = worker.clock.seconds
        worker.clock.seconds += seconds
        worker.turns.end(person, {person: seconds})
        worker.joins(person)

    assert longest < 5 * HALF_LIFE + 2 * len(people) * seconds
    assert min(last_served.values()) > worker.clock.seconds - 2 * len(people) * seconds


def test_the_announced_order_is_the_actual_order(worker: OneWorker) -> None:
    worker.joins(EVE, times=4)
    worker.joins(BOB, times=2)
    worker.turns.begin(BOB)
    worker.turns.end(BOB, {BOB: 3})
    worker.joins(ADA)
    told = [worker.waiting[position][0] for position in worker.turns.in_order(worker.waiting)]

    assert told == [EVE, ADA, BOB, EVE, BOB, EVE, EVE]
    assert [worker.begins() for _ in told] == told


def test_the_events_of_one_account_keep_their_order() -> None:
    waiting = [(EVE, float(n)) for n in range(9)] + [(ADA, 9.0)]

    order = Turns(Clock()).in_order(waiting)

    assert order == [0, 9, *range(1, 9)]


def test_the_time_of_a_batch_counts_for_all_of_its_accounts(worker: OneWorker) -> None:
    worker.turns.begin(EVE)
    worker.turns.end(EVE, {EVE: 1, ADA: 7})
    worker.joins(ADA)
    worker.joins(EVE)

    assert (worker.turns.running(EVE), worker.turns.running(ADA)) == (0, 0)
    assert worker.begins() == EVE


def test_old_runs_are_forgotten() -> None:
    clock = Clock()
    turns = Turns(clock)
    for number in range(100):
        account = UserId(UUID(int=number))
        turns.begin(account)
        turns.end(account, {account: 1})
    clock.seconds += FORGOTTEN_AFTER + 1
    turns.begin(ADA)
    turns.end(ADA, {ADA: 1})

    assert list(turns._used) == [ADA]
    assert not turns._running


def test_half_of_one_place_is_that_place() -> None:
    assert [half_of(places) for places in (1, 2, 3, 4, 7, 1000)] == [1, 1, 1, 2, 3, 500]
