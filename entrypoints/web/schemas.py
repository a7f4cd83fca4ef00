"""The request and response bodies of the JSON API. Times are UTC in ISO 8601."""

from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.requests import Request

from domain.model import access_token, password, user
from domain.model.user import is_plain
from entrypoints.web.problems import PROBLEM_JSON, refusal

Item = TypeVar("Item")


def _plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("contains a control character")
    return text


class RequestBody(BaseModel):
    """Types are not converted, and unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ResponseBody(BaseModel):
    model_config = ConfigDict(frozen=True)


Text = Annotated[str, AfterValidator(_plain)]
EmailText = Annotated[
    Text,
    Field(
        min_length=user.SHORTEST_EMAIL, max_length=user.LONGEST_EMAIL, examples=["ada@example.org"]
    ),
]
NameText = Annotated[
    Text, Field(min_length=1, max_length=user.LONGEST_NAME, examples=["Ada Lovelace"])
]
RoleText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=user.LONGEST_ROLE,
        pattern=f"^{user.ROLE_PATTERN}$",
        examples=["analyst"],
    ),
]
NewPassword = Annotated[
    str,
    Field(
        min_length=password.SHORTEST,
        max_length=password.LONGEST,
        json_schema_extra={"format": "password"},
    ),
]
OldPassword = Annotated[
    str,
    Field(
        min_length=1, max_length=password.LONGEST_TYPED, json_schema_extra={"format": "password"}
    ),
]
MOST_ROLES: Final = 50
"""Roles in one request; an account may have more."""
Roles = Annotated[list[RoleText], Field(max_length=MOST_ROLES)]

Limit = Annotated[int, Query(ge=1, le=100, description="Maximum number of items.")]
After = Annotated[
    UUID | None,
    Query(description="The `next` of the previous page. Without it, you get the first page."),
]
Search = Annotated[
    Text,
    Query(
        max_length=user.LONGEST_NAME,
        description="Return only accounts whose e-mail or name contains this text.",
    ),
]


class PageOf(ResponseBody, Generic[Item]):
    items: list[Item]
    next: UUID | None = Field(
        description="Send it as `after` to get the next page. Null on the last page."
    )


class Ended(ResponseBody):
    ended: int = Field(description="Number of sessions that have been ended.")


class EverythingEnded(Ended):
    revoked_tokens: int = Field(description="Number of access tokens that have been revoked.")


class Revoked(ResponseBody):
    revoked: int = Field(description="Number of access tokens that have been revoked.")


RevokeTokens = Annotated[
    bool, Query(description="Whether the account's access tokens are revoked too.")
]


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str = Field(examples=["urn:gradioapp:problem:not-allowed"])
    title: str
    status: int
    detail: str = Field(default="", description="One sentence for the user.")
    request_id: str = Field(description="The request's id in the log.")


_MEANINGS: Final = {
    400: "The request cannot be read.",
    401: "No session or access token; `login` is the address of the sign-in page; `reason` is `expired`, `ended` or `signed out`.",
    403: "The account may not do this, or the request came from another site. With the type `urn:gradioapp:problem:confirmation-needed`, the session must be confirmed first; `confirm` is the address for it.",
    404: "It does not exist, or it belongs to another account.",
    409: "It conflicts with existing data.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "A field is not valid; `errors` lists the faults.",
    429: "Too many attempts; wait for the seconds in `Retry-After`.",
    503: "The database is unavailable, or the service is busy; try again after the seconds in `Retry-After`.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors of an operation, for its documentation."""
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted({400, 401, 503, *statuses})
    }


async def must_be_json(request: Request) -> None:
    """Raises Refused if the body is not JSON: a form of another site cannot send JSON (ASVS 3.5.2)."""
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
TOKEN: Final = "token"  # noqa: S105 -- A name in the OpenAPI document, like SESSION.
IN_PERSON: Final[dict[str, Any]] = {"security": [{SESSION: []}]}
"""For the OpenAPI document: an operation that needs a session and cannot be called with an access token."""


class SessionView(ResponseBody):
    id: UUID
    created_at: datetime
    seen_at: datetime
    idle_at: datetime = Field(description="When the session ends if it is not used before.")
    ends_at: datetime = Field(description="When the session ends in any case.")


class MyView(ResponseBody):
    id: UUID
    email: str
    name: str
    roles: list[str]
    session: SessionView
    now: datetime = Field(
        description="The server's time, to compare the times of the session with."
    )


class DeviceView(SessionView):
    address: str
    agent: str
    is_current: bool
    is_remembered: bool = Field(description="Whether the user stays signed in on this device.")
    issuer: str | None = Field(
        description="The identity provider at which the user has signed in. Null after a sign-in with a password."
    )


class DevicePage(PageOf[DeviceView]):
    """The sessions of one account, the last used first."""


class UserView(ResponseBody):
    id: UUID
    email: str
    name: str
    roles: list[str]
    is_active: bool
    has_password: bool = Field(description="False if nobody can sign in to the account yet.")
    created_at: datetime
    updated_at: datetime


class UserPage(PageOf[UserView]):
    """Accounts, sorted by e-mail."""


class TokenView(ResponseBody):
    id: UUID
    name: str
    hint: str = Field(description="The last characters of the token.")
    roles: list[str] | None = Field(
        description="The account's roles that the token may use. Null: all roles of the account at the time of use."
    )
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="Precise to a minute. Null: never used.")


class MadeToken(TokenView):
    token: str = Field(
        description="Send it as `Authorization: Bearer …`. It is shown only once.",
        json_schema_extra={"format": "password"},
    )


class TokenPage(PageOf[TokenView]):
    """Access tokens, the newest first."""


class NewToken(RequestBody):
    name: Annotated[
        Text, Field(min_length=1, max_length=access_token.LONGEST_NAME, examples=["Nightly job"])
    ]
    days: Annotated[int, Field(ge=access_token.SHORTEST_LIFE, le=access_token.LONGEST_LIFE)] = (
        Field(default=access_token.USUAL_LIFE, description="Lifetime in days.")
    )
    roles: Roles | None = Field(
        default=None,
        description="Some of the account's roles. Null: all roles of the account at the time of use.",
    )


class PasswordChange(RequestBody):
    current: OldPassword
    new: NewPassword
    revoke_tokens: bool = Field(
        default=True,
        description="Whether all access tokens of the account are revoked too. Somebody who knew the old password may have made one.",
    )


class ConfirmingPassword(RequestBody):
    password: OldPassword


class ProviderView(ResponseBody):
    name: str
    label: str
    address: str = Field(
        description="Open it in the same browser, to sign in again. With `?next=`, it leads back to that page."
    )


class ConfirmationView(ResponseBody):
    confirmed_until: datetime | None = Field(
        description="Null if the session is not confirmed, or no longer."
    )
    takes_password: bool = Field(description="Whether the account's password confirms the session.")
    providers: list[ProviderView] = Field(
        description="The identity providers at which a new sign-in confirms the session."
    )


class NewUser(RequestBody):
    email: EmailText
    name: Annotated[Text, Field(max_length=user.LONGEST_NAME)] = Field(
        default="", description="If empty, the part of the e-mail before the @ is used."
    )
    password: NewPassword | None = None
    roles: Roles = []


class UserChange(RequestBody):
    """Omitted fields stay as they are."""

    name: NameText | None = None
    is_active: bool | None = None
    roles: Roles | None = Field(
        default=None, description="All roles of the account; roles that are not listed are revoked."
    )
