"""The limits of one server of ours: its table of connections, and uvicorn's protocol that keeps it."""

import asyncio
import math
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from application.settings import Settings
from entrypoints.connections.protocol import BoundedProtocol
from entrypoints.connections.table import Connections
from entrypoints.replicas import share_of_files
from entrypoints.web.proxies import Proxies

_AT_LEAST: Final = 5.0
"""Seconds for which a connection between replicas may be unused: longer than the replica that opened it keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    table: Connections
    proxies: Proxies

    def protocol(self) -> type[asyncio.Protocol]:
        """Return what uvicorn's configuration takes as `http_protocol_class`."""
        return cast("type[asyncio.Protocol]", partial(BoundedProtocol, self.table, self.proxies))

    async def close_stalled(self) -> None:
        """Close stalled connections from time to time, for ever."""
        while True:
            await asyncio.sleep(min(5.0, self.table.stall / 4))
            self.table.close_stalled()


def between_replicas(settings: Settings) -> ConnectionLimits:
    """Return the limits of the address for other replicas. Must be called in the loop that serves. A replica may read a
    response as slowly as its own client, whom it limits itself."""
    most = share_of_files()
    table = Connections(
        most=most,
        per_group=most,
        stall=max(settings.stall_seconds, _AT_LEAST),
        reading_stall=math.inf,
        now=asyncio.get_running_loop().time,
    )
    return ConnectionLimits(table=table, proxies=Proxies(settings))
