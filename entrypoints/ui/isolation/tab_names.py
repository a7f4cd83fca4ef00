"""Keep the names of tabs and uploads apart per session: the name `raw` of a browser becomes `raw.<session id>` in
Gradio.

No session can reach another's tab: every name that Gradio sees ends with the id of the sender's own session, so a guessed
or leaked name becomes the name of an empty tab of the sender. The session's public id is sufficient, because knowing
another session's id does not help: the sender's own id is always added. A session that has taken over the tabs of an expired
one uses that one's id; see Accounts.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from starlette.exceptions import HTTPException

from domain.model.session import SessionId
from entrypoints.ui.limits import LONGEST_NAME

_NAME: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_NAME}}}")
"""Excludes `<gradio-sep>`, Gradio's separator: in the name of one tab it would make cancelling fail for all tabs."""


def session_in(tab: str) -> SessionId | None:
    """Return the id of the session with which a tab's name ends, or None for a name without one."""
    try:
        return SessionId(UUID(hex=tab.rpartition(".")[2]))
    except ValueError:
        return None


def within(suffix: str, name: object, *, called: str) -> str:
    """Return the name with the session's suffix; a name that already has it stays as it is. Raises HTTPException, whose
    text contains `called`, the name of the field."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise HTTPException(
            400,
            f"{called} is missing, or has characters other than letters, digits, '.', '_' and '-'.",
        )
    end = f".{suffix}"
    return name if name.endswith(end) and name != end else f"{name}{end}"


def query_within(suffix: str, query: bytes, *, called: str) -> tuple[str, bytes]:
    """Return the name in the query with the session's suffix, and the query with exactly this one name."""
    fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    names = [value for field, value in fields if field == called]
    name = within(suffix, names[-1] if names else None, called=called)
    others = [(field, value) for field, value in fields if field != called]
    return name, urlencode([*others, (called, name)]).encode("ascii")
