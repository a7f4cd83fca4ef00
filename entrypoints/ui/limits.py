"""Limits and quotas. Unless stated otherwise, each is for one account, over all its sessions and access tokens."""

import os
from typing import Final

TABS: Final = 200
"""Tabs whose memory Gradio keeps: twenty on each of ten devices. One more evicts the least recently used tab; if all
are in use, the request is refused with 429."""
EVENTS: Final = 200
"""Events that wait or run at once, in all apps."""
DIRECT: Final = 60
"""Events that bypass the queue and calls of a component's functions, at once. They wait if no thread is free."""
STREAMS: Final = 300
"""Open streams: an open tab has one, and a second one while an event runs."""
CUT_FOR: Final = 30.0
"""Seconds for which a stream runs on after its connection was cut, so that its page can resume it. `streams.js` tries for
as long."""
KEPT_FOR: Final = 900.0
"""Seconds for which a tab and its heartbeat are kept after its session has expired. A tab that is needed elsewhere is evicted
earlier."""
SENT_AGAIN: Final = 20 * 1024 * 1024
"""Bytes of sent messages that are kept for pages that resume a stream. Above it, the oldest are dropped."""
CONNECTIONS_OF_STREAM: Final = 4
"""Connections that receive one stream at once. A page has one; earlier ones may still send to a client that has gone."""
FILES_AT_ONCE: Final = 100
"""Files in one upload."""
FILES_PER_HOUR: Final = 2000
UPLOADS_PER_HOUR: Final = 20
"""The bytes that may be uploaded per hour, in uploads of the maximum size."""
HOUR: Final = 3600.0
"""Seconds."""
MINUTE: Final = 60.0
"""Seconds."""
PIECES_PER_MINUTE: Final = 3000
"""Pieces of running streams, such as of a microphone, that count as bytes but not as files: fifty per second. Gradio's
front end sends ten per second at most."""
PIECES: Final = 20
"""Used pieces of streams that stay on the disk: the browser may still show the latest ones."""

EVENT_IDS: Final = 5000
"""Event ids that are remembered, to know their tab. Ids of waiting and running events always stay; the oldest finished
ones go first."""

PLACES: Final = 1000
"""Events that may wait in one app, of all accounts together, if the author does not set `queue(max_size=…)`."""
THREADS: Final = 40
"""Threads for the callbacks of all apps together; Gradio has the same default."""
RENDERED: Final = 100
"""Functions made by gr.render whose queues and run times one app keeps while no event of them waits or runs. Each
rendering makes new functions, and Gradio looks at all of them a thousand times a second."""
ALL_TABS: Final = 20_000
"""Tabs that Gradio keeps for all accounts together: far more than TABS, so that no account evicts another's tabs."""

NODES: Final = 410_000
"""JSON values and member names in one request body: a table of 200,000 cells has at most 400,000."""
NODE: Final = 64
"""Bytes of memory that one such value or name takes, approximately."""
MODEL_NODES: Final = 50_000
"""Values in the input of a component whose pydantic model checks each value, such as a chatbot. Checking 400,000
invalid values blocks the event loop for half a second."""
COLUMNS: Final = 16_384
"""Columns of a table: as many as a sheet of Excel has. pandas takes two seconds of CPU time for so many; a column takes
longer than a row."""
CHOSEN: Final = 10_000
"""Chosen values of one dropdown or group of checkboxes: Gradio looks for each of them among all choices."""
LONGEST_DATE: Final = 100
"""Characters of a date: more than any format takes."""
DEEPEST: Final = 100
"""Levels of nested lists and objects in a request body: Gradio's own parser fails at about 250."""
LONGEST_PATH: Final = 4096
"""Characters of a path: the maximum on Linux. Resolving a path takes time that grows with the square of its length."""
NAMED_FILES: Final = 500
"""Files that the inputs of one event may name: each needs a look-up on the disk."""
PATHS_LOOKED_UP: Final = 200_000
"""Different texts with a slash in one event, each of which is looked up on the disk: about three seconds."""
REMEMBERED_PATHS: Final = 10_000
"""Paths that this process remembers per account: those that the account has sent as text, and those that an app has
sent to it."""
REMEMBERED_ADDRESSES: Final = 100_000
"""Addresses that an account has named in texts, and that this process remembers."""
LONGEST_NAME: Final = 200
"""Characters in the name of a tab or an upload."""
INPUTS: Final = 5
"""Inputs of waiting and running events in memory, in request bodies of the maximum size."""
UNREAD: Final = 100 * 1024 * 1024
"""Bytes of outputs that no client has read. Above it, those that have waited longest are dropped."""
UNREAD_FOR: Final = 600.0
"""Seconds after which unread outputs are dropped. Clients normally read while an event runs."""
DRAWINGS: Final = 100 * 1024 * 1024
"""Bytes of drawings that no event has used yet. Above it, the oldest are dropped."""
SHOWN: Final = 100 * 1024 * 1024
"""Bytes of the latest values in an account's tabs, which a link would save. Above it, those of the longest unused tabs are
dropped. Only apps with a `gr.DeepLinkButton` keep them."""
LINK: Final = 10 * 1024 * 1024
"""Bytes of the values of one link, with NODE bytes more for each JSON value: opening a link takes them in memory."""
LAYERS: Final = 100
"""Layers of one drawing: Gradio allocates a list as long as the layer number that a client sends."""
LONGEST_URI: Final = 2048
"""Characters of the URI of an MCP resource."""
CLAIMS: Final = 50_000
"""Files, of all accounts together, whose owner this process caches."""

SOUNDS: Final = 256 * 1024 * 1024
"""Bytes of decoded sounds that running events use: two of the longest."""

PROGRAMS: Final = max(4, os.cpu_count() or 1)
"""Programs that convert sounds and videos for events of all accounts together, at once. Further ones wait."""
ACCOUNT_PROGRAMS: Final = 2
"""Those of one account: at most half of all."""
ENCODERS: Final = 8
"""Streamed outputs with sound, at once: each has an encoder as long as it runs, beside the programs above."""

MADE_INPUTS: Final = 1000
"""Files that Gradio has made of one account's inputs. Above it, the oldest are removed."""
MADE_INPUTS_SIZE: Final = 200 * 1024 * 1024
"""Bytes of the files that Gradio has made of one account's inputs."""


def half_of(places: int) -> int:
    """Return how many of the shared places one account may take: half of them, but at least one."""
    return max(1, places // 2)
