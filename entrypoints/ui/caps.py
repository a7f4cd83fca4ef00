"""How much one account may hold at a time, over all its sessions and access tokens: the README has the same table."""

from typing import Final

TABS: Final = 200
"""Tabs whose memory Gradio keeps: twenty on each of ten devices. For one more the longest unused goes, and when all are
in use it is refused."""
EVENTS: Final = 200
"""Events waiting or running at once, in all apps."""
DIRECT: Final = 60
"""Events past the queue at once, and calls of a component's functions. What finds no thread free waits for one."""
STREAMS: Final = 300
"""Open streams: an open tab has one, or two while something runs."""
FILES_AT_ONCE: Final = 100
"""Files of one upload."""
FILES_PER_HOUR: Final = 2000
UPLOADS_PER_HOUR: Final = 20
"""Uploads of the largest size that fit into an hour's bytes."""
HOUR: Final = 3600.0
"""Seconds."""

EVENT_IDS: Final = 5000
"""Ids of events that are remembered: all under way, and the latest; what has been read is not asked for again."""

PLACES: Final = 1000
"""Events that may wait in one app, of everybody together, where the author did not say so with `queue(max_size=…)`."""
THREADS: Final = 40
"""Threads for the callbacks of all apps together, which is Gradio's own number."""
RENDERED: Final = 100
"""Functions made by gr.render whose queues and run times one app keeps while nothing of them waits or runs: each time
makes others, and Gradio looks at all of them a thousand times a second."""
ALL_TABS: Final = 20_000
"""What Gradio keeps for all accounts together: far more than one of them may have, so that none evicts another."""

NODES: Final = 410_000
"""Values and names of members in a body: a table of 200,000 cells has at most 400,000."""
NODE: Final = 64
"""Bytes of memory that each of them takes, about."""
MODEL_NODES: Final = 50_000
"""Values in what a component takes whose data model checks each of them, as a chat's does: 400,000 wrong ones hold the event
loop for half a second."""
DEEPEST: Final = 100
"""Levels of lists and objects in a body: Gradio's own reader fails at about 250."""
LONGEST_PATH: Final = 4096
"""Characters of a path: Linux knows no longer one, and to follow one takes the square of its length."""
NAMED_FILES: Final = 500
"""Files that the inputs of one event may name: each is looked for on the disk."""
LONGEST_NAME: Final = 200
"""Characters of a tab's or upload's name."""
INPUTS: Final = 5
"""Largest bodies that one account may have in memory as inputs of events that wait or run."""
UNREAD: Final = 100 * 1024 * 1024
"""Bytes of outputs of one account that nobody has read; for one more, those that have waited the longest go."""
UNREAD_FOR: Final = 600.0
"""Seconds until outputs go that nobody reads. Clients read while an event runs."""
DRAWINGS: Final = 100 * 1024 * 1024
"""Bytes of one account's drawings that no event has taken yet; for more, the oldest go."""
LAYERS: Final = 100
"""Of one drawing: Gradio makes room for as many as the number of the last one says."""
LONGEST_URI: Final = 2048
"""Characters of the address of an MCP resource."""
CLAIMS: Final = 50_000
"""Files whose owner this process remembers without asking the store."""

MADE_INPUTS: Final = 1000
"""Files that Gradio has made of one account's inputs; beyond, the oldest go."""
MADE_INPUTS_SIZE: Final = 200 * 1024 * 1024
"""Their bytes."""


def half_of(places: int) -> int:
    """What one account may hold of what everybody needs; of a single place, that one."""
    return max(1, places // 2)
