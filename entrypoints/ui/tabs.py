"""Names of tabs and uploads, each within one login: what a browser calls `raw` is `raw.<login>` to Gradio.

Nothing has to be kept for it, and no name reaches beyond its login: whatever is sent ends with the sender's own login,
so a foreign or leaked name is the name of an empty tab of the sender's. The login's public id is enough for that,
since knowing it helps nobody to send a name that ends with it.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.exceptions import HTTPException

from domain.model.caller import SignedIn
from entrypoints.ui.caps import LONGEST_NAME

_NAME: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_NAME}}}")
"""No `<gradio-sep>`: in the name of one tab's task it makes everybody's cancelling fail."""


def login_of(signed_in: SignedIn) -> str:
    return signed_in.session.id.hex


def within(login: str, name: object, *, called: str) -> str:
    """The name as Gradio is to know it; one that has the login already stays. Raises HTTPException, saying what the
    name is `called`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise HTTPException(
            400, f"{called} is missing, or is not a name of letters, digits, '.', '_' and '-'."
        )
    end = f".{login}"
    return name if name.endswith(end) and name != end else f"{name}{end}"


def query_within(login: str, query: bytes, *, called: str) -> tuple[str, bytes]:
    """The name in the query, and the query with it; there is one name at most in what goes on."""
    fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    names = [value for field, value in fields if field == called]
    name = within(login, names[-1] if names else None, called=called)
    others = [(field, value) for field, value in fields if field != called]
    return name, urlencode([*others, (called, name)]).encode("ascii")
