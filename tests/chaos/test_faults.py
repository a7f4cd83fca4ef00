"""Faults of PostgreSQL, Redis, replicas and clients: nothing acknowledged is lost, and nobody is let in."""

import pytest

from tests.chaos.cluster import Whole
from tests.chaos.conftest import Survives
from tests.chaos.faults import AN_OUTAGE, FAULTS, Fault


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_loses_no_write_and_lets_nobody_in(
    fault: Fault, whole_cluster: Whole, survives: Survives, pytestconfig: pytest.Config
) -> None:
    lasts = pytestconfig.getoption("outage") if fault.lasts == AN_OUTAGE else fault.lasts

    survives(fault.name, whole_cluster, lambda _: fault.begin(whole_cluster), lasts=lasts)
