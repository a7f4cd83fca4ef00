"""The announced order is the order in which events really start, while runs begin and end."""

import math
import random
from collections.abc import Sequence
from uuid import UUID

import pytest

from domain.model.user import UserId
from entrypoints.ui.limits import half_of
from entrypoints.ui.queueing.forecast import Running, Waiting, forecast
from entrypoints.ui.queueing.turns import Account, Turns
from tests.ui.test_turns import Clock

ADA, BOB, EVE = (UserId(UUID(int=number)) for number in (1, 2, 3))


class Queue:
    """Events that run at `places` places, by the rules of the fair queue."""

    def __init__(self, *, places: int = 1, seconds: float = 1) -> None:
        self.places, self.seconds = places, seconds
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.waiting: list[tuple[int, Account, float]] = []
        self.running: list[tuple[Account, float, float]] = []
        """The account, the start and the seconds of each run."""
        self.started: list[int] = []
        self._number = 0

    def joins(self, account: Account, *, times: int = 1) -> None:
        for _ in range(times):
            self.waiting.append((self._number, account, self.clock.seconds))
            self._number += 1

    def seconds_of(self, number: int) -> float:
        """Return how long an event runs: two are never equal, as in reality."""
        return self.seconds * (1 + math.sin(number + 1) / 10)

    def starts_what_may(self) -> None:
        while len(self.running) < self.places:
            first: dict[Account, tuple[int, Account, float]] = {}
            for one in self.waiting:
                if self.turns.running(one[1]) < half_of(self.places):
                    first.setdefault(one[1], one)
            if not first:
                return
            account = self.turns.next_of({who: since for who, (_, _, since) in first.items()})
            self.waiting.remove(first[account])
            self.turns.begin(account)
            self.started.append(first[account][0])
            self.running.append((account, self.clock.seconds, self.seconds_of(self.started[-1])))

    def ends_one(self) -> None:
        run = min(self.running, key=lambda run: run[1] + run[2])
        account, begun, seconds = run
        self.running.remove(run)
        self.clock.seconds = max(self.clock.seconds, begun + seconds)
        self.turns.end(account, {account: self.clock.seconds - begun})

    def tells(self) -> list[int]:
        """Return the numbers of the waiting events in the announced order."""
        now = self.clock.seconds
        order = forecast(
            self.turns,
            [Waiting(who, since, self.seconds_of(n)) for n, who, since in self.waiting],
            [
                Running(account, now - begun, begun + seconds - now)
                for account, begun, seconds in self.running
            ],
            places=self.places,
            each=half_of(self.places),
        )
        return [self.waiting[position][0] for position in order]

    def runs_all(self) -> list[int]:
        """Run everything that waits, and return the numbers in the order of their starts."""
        self.started.clear()
        self.starts_what_may()
        while self.waiting:
            self.ends_one()
            self.starts_what_may()
        return list(self.started)


def accounts(queue: Queue, numbers: Sequence[int]) -> list[Account]:
    of = {number: account for number, account, _ in queue.waiting}
    return [of[number] for number in numbers]


def test_the_first_event_of_another_account_is_next_though_ten_wait() -> None:
    queue = Queue()
    queue.joins(EVE, times=11)
    queue.starts_what_may()
    queue.clock.seconds += 0.5
    queue.joins(ADA)

    told = queue.tells()

    assert accounts(queue, told) == [ADA, *[EVE] * 10]
    assert queue.runs_all() == told


def test_several_events_of_another_account_take_turns_with_the_ten() -> None:
    queue = Queue()
    queue.joins(EVE, times=11)
    queue.starts_what_may()
    queue.clock.seconds += 0.5
    queue.joins(ADA, times=3)

    told = queue.tells()

    assert accounts(queue, told)[0] == ADA
    assert accounts(queue, told)[:6].count(ADA) == 3
    assert queue.runs_all() == told


def test_an_account_that_has_used_much_waits_for_several_events_of_another() -> None:
    queue = Queue()
    queue.joins(EVE, times=30)
    for _ in range(15):
        queue.starts_what_may()
        queue.ends_one()
    queue.starts_what_may()
    queue.joins(ADA, times=9)

    told = queue.tells()

    assert accounts(queue, told)[:8] == [ADA] * 8
    assert queue.runs_all() == told


def test_an_account_that_holds_its_places_waits_for_its_own_end() -> None:
    queue = Queue(places=4)
    queue.joins(EVE, times=6)
    queue.starts_what_may()
    queue.joins(ADA, times=3)

    told = queue.tells()

    assert accounts(queue, told)[:2] == [ADA, ADA]
    assert queue.runs_all() == told


@pytest.mark.parametrize("places", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("seconds", [0.3, 7, 120])
def test_whatever_has_happened_before_the_announced_order_is_the_actual_order(
    places: int, seconds: float
) -> None:
    chance = random.Random(places * 1000 + seconds)
    people: list[Account] = [ADA, BOB, EVE, None]
    compared = 0
    for _ in range(40):
        queue = Queue(places=places, seconds=seconds)
        for _ in range(chance.randrange(30)):
            queue.joins(chance.choice(people), times=chance.randrange(5))
            queue.starts_what_may()
            queue.clock.seconds += chance.random() * seconds * 0.3
            if queue.running and chance.random() < 0.4:
                queue.ends_one()
            queue.starts_what_may()

        told = queue.tells()

        compared += len(told)
        assert told == queue.runs_all()
    assert compared > 500


def test_nothing_is_lost_if_the_places_are_held_by_others_or_time_grows_very_long() -> None:
    turns = Turns(Clock())
    waiting = [Waiting((ADA, EVE)[n % 2], n, 1e9) for n in range(50)]

    for places in (0, 1):
        order = forecast(turns, waiting, [], places=places, each=1)

        assert sorted(order) == list(range(50))


def test_one_account_alone_keeps_its_order() -> None:
    waiting = [Waiting(ADA, n, 1) for n in range(5)]

    assert forecast(Turns(Clock()), waiting, [], places=1, each=1) == [0, 1, 2, 3, 4]
