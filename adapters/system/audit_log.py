"""Write the acts that concern security to the log, one structured line each."""

from typing import Any, Final

import structlog

from domain.model.audit import Entry
from domain.model.caller import Caller
from domain.ports.audit import AuditLog
from domain.ports.security import AccountMarks

log = structlog.get_logger()

OPERATOR: Final = "operator"
"""Who acts at the command line."""


class StructlogAuditLog(AuditLog):
    """The lines have no names, e-mails and secrets (ASVS 16.2.5). The logger's context adds the request's id, the
    client's address and the way of the act."""

    def __init__(self, marks: AccountMarks) -> None:
        self._marks = marks

    def record(self, entry: Entry) -> None:
        fields: dict[str, Any] = {
            "audit": True,
            "outcome": "refused" if entry.refusal else "done",
            "reason": entry.refusal,
            **_who(entry.by),
            "of": str(entry.of) if entry.of else None,
            "opened": str(entry.opened) if entry.opened else None,
            "typed": self._marks.mark_of_text(entry.typed) if entry.typed is not None else None,
            **entry.details,
        }
        log.info(entry.act.value, **{name: v for name, v in fields.items() if v is not None})


def _who(caller: Caller | None) -> dict[str, Any]:
    if caller is None:
        return {}
    return {
        "by": str(caller.user_id) if caller.user_id else OPERATOR,
        "session_id": str(caller.session_id) if caller.session_id else None,
        "token_id": str(caller.token_id) if caller.token_id else None,
    }
