"""How much one login may hold at a time: one place, and the table in the README says the same."""

from typing import Final

TABS: Final = 50
"""Tabs whose memory Gradio keeps; for one more the longest unused goes, and when all are in use it is refused."""
EVENTS: Final = 100
"""Events queued or running at once."""
DIRECT: Final = 30
"""Of them, those past the queue. Each has one of the forty threads that Gradio's callbacks share among everybody."""
STREAMS: Final = 120
"""Open streams: an open tab has one, or two while something runs."""
FILES_AT_ONCE: Final = 100
"""Files of one upload."""
FILES_PER_HOUR: Final = 2000
UPLOADS_PER_HOUR: Final = 20
"""Uploads of the largest size that fit into an hour's bytes."""
HOUR: Final = 3600.0
"""Seconds."""

EVENT_IDS: Final = 2000
"""Ids of events that are remembered, the latest; what has been read is not asked for again."""

ALL_TABS: Final = 20_000
"""What Gradio keeps for all logins together: far more than one of them may have, so that none evicts another."""

DEEPEST: Final = 100
"""Levels of lists and objects in a body: Gradio's own reader fails at about 250."""
LONGEST_NAME: Final = 200
"""Characters of a tab's or upload's name."""
CLAIMS: Final = 50_000
"""Files whose owner this process remembers without asking the store."""
