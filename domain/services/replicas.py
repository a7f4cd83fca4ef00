"""Rules for replicas: when one has gone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.model.replica import Replica, ReplicaId

SILENT: Final = 4
"""A replica has gone if it has not beaten while this one has beaten so many times."""


@dataclass(frozen=True, slots=True)
class ReplicaService:
    """Counts the silence of each replica in beats of this one, so that no clock matters."""

    _silence: dict[ReplicaId, tuple[int, int]] = field(default_factory=dict)
    """For each replica its beats, and how many calls ago they last grew."""

    def gone(self, replicas: Sequence[Replica]) -> Sequence[Replica]:
        """Return those of the other replicas that have gone. Call this once for each beat of this one."""
        before = dict(self._silence)
        self._silence.clear()
        for replica in replicas:
            beats, calls = before.get(replica.id, (-1, 0))
            self._silence[replica.id] = replica.beats, calls + 1 if beats == replica.beats else 0
        return [replica for replica in replicas if self._silence[replica.id][1] >= SILENT]
