"""The JSON API's bodies: what may be sent, and what is answered. Times are UTC in ISO 8601."""

from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.requests import Request

from domain.model.access_token import LONGEST_LIFE, LONGEST_NAME, SHORTEST_LIFE, USUAL_LIFE
from domain.model.user import is_plain
from entrypoints.web.problems import PROBLEM_JSON, refusal

Item = TypeVar("Item")


def _plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("contains a control character")
    return text


class Sent(BaseModel):
    """Nothing is converted, nothing unknown is taken."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Answered(BaseModel):
    model_config = ConfigDict(frozen=True)


Text = Annotated[str, AfterValidator(_plain)]
EmailText = Annotated[Text, Field(min_length=3, max_length=254, examples=["ada@example.org"])]
NameText = Annotated[Text, Field(min_length=1, max_length=200, examples=["Ada Lovelace"])]
RoleText = Annotated[
    str,
    Field(min_length=1, max_length=50, pattern=r"^[a-z][a-z0-9_-]{0,49}$", examples=["analyst"]),
]
NewPassword = Annotated[
    str, Field(min_length=8, max_length=256, json_schema_extra={"format": "password"})
]
OldPassword = Annotated[
    str, Field(min_length=1, max_length=4096, json_schema_extra={"format": "password"})
]
Roles = Annotated[list[RoleText], Field(max_length=50)]

Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
After = Annotated[
    UUID | None, Query(description="The `next` of the page before; without it, the first page.")
]
Search = Annotated[
    Text, Query(max_length=200, description="Only accounts whose e-mail or name contains this.")
]


class PageOf(Answered, Generic[Item]):
    items: list[Item]
    next: UUID | None = Field(
        description="Send it as `after` to get the next page; null at the end."
    )


class Ended(Answered):
    ended: int = Field(description="How many sessions ended.")


class ProblemDocument(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str = Field(examples=["urn:gradioapp:problem:not-allowed"])
    title: str
    status: int
    detail: str = Field(default="", description="One sentence for a person.")
    request_id: str = Field(description="Find it in the log with this.")


_MEANINGS: Final = {
    400: "The request cannot be read.",
    401: "Nobody is signed in; `login` says where to.",
    403: "The account may not do this, or the request came from another site.",
    404: "There is no such thing, or it is somebody else's.",
    409: "It contradicts what there is.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "A field is not as it has to be; `errors` says which.",
    429: "Too many attempts; `Retry-After` says how many seconds to wait.",
    503: "The database does not answer, or the service is busy; `Retry-After` says when to ask again.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals an operation may answer with, for its documentation."""
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted({400, 401, 503, *statuses})
    }


def must_be_json(request: Request) -> None:
    """Raises Refused: what a form of another site could send is no JSON (ASVS 3.5.2)."""
    if request.method in {"GET", "HEAD", "DELETE"}:
        return
    if (
        request.headers.get("content-type", "").partition(";")[0].strip().lower()
        != "application/json"
    ):
        raise refusal(
            415, "unsupported-media-type", "Unsupported media type", "Send application/json."
        )


JSON_ONLY: Final = [Depends(must_be_json)]

SESSION: Final = "session"
TOKEN: Final = "token"  # noqa: S105 -- A name in the document, as the one above.
IN_PERSON: Final[dict[str, Any]] = {"security": [{SESSION: []}]}
"""For the document: an operation that takes a session only, and no access token."""


class SessionView(Answered):
    id: UUID
    created_at: datetime
    seen_at: datetime
    idle_at: datetime = Field(description="When it ends unless something is done with it.")
    ends_at: datetime = Field(description="When it ends in any case.")


class MyView(Answered):
    id: UUID
    email: str
    name: str
    roles: list[str]
    session: SessionView


class DeviceView(SessionView):
    address: str
    agent: str
    is_current: bool


class DevicePage(PageOf[DeviceView]):
    """Those of one account, the one seen last first."""


class UserView(Answered):
    id: UUID
    email: str
    name: str
    roles: list[str]
    is_active: bool
    has_password: bool = Field(description="Without one nobody can sign in to it yet.")
    created_at: datetime
    updated_at: datetime


class UserPage(PageOf[UserView]):
    """In the order of their e-mail."""


class TokenView(Answered):
    id: UUID
    name: str
    hint: str = Field(description="The last characters of the token.")
    roles: list[str] | None = Field(
        description="Those of the account's that it may use; null: all that the account has then."
    )
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="Within a minute; null: never.")


class MadeToken(TokenView):
    token: str = Field(
        description="Sent as `Authorization: Bearer …`. Shown this once.",
        json_schema_extra={"format": "password"},
    )


class TokenPage(PageOf[TokenView]):
    """The newest first."""


class NewToken(Sent):
    name: Annotated[Text, Field(min_length=1, max_length=LONGEST_NAME, examples=["Nightly job"])]
    days: Annotated[int, Field(ge=SHORTEST_LIFE, le=LONGEST_LIFE)] = Field(
        default=USUAL_LIFE, description="After so many days it expires."
    )
    roles: Roles | None = Field(
        default=None,
        description="Some of the account's roles; null: all that the account has when it is used.",
    )


class PasswordChange(Sent):
    current: OldPassword
    new: NewPassword


class NewUser(Sent):
    email: EmailText
    name: Annotated[Text, Field(max_length=200)] = Field(
        default="", description="Empty: what stands before the @."
    )
    password: NewPassword | None = None
    roles: Roles = []


class UserChange(Sent):
    """What is not named stays as it is."""

    name: NameText | None = None
    is_active: bool | None = None
    roles: Roles | None = Field(
        default=None, description="All of them: those not named are revoked."
    )
