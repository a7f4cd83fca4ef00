"""Helpers of test_openapi_fuzz.py. They are in a module of their own, because importing
schemathesis takes longer than fifty tests."""

from typing import Any, Final

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.conftest import Door

EXAMPLES: Final = 40
"""Examples for each operation and caller."""

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


async def credentials(door: Door, caller: str) -> dict[str, str]:
    """Make new credentials for each request, because some requests end their own session."""
    if caller == "anonymous":
        return {}
    door.passes(minutes=1)  # Forgives the wrong passwords of earlier requests.
    if caller == "program":
        made = await door.makes_token("admin@example.org")
        me = await door.use_cases.recognise(
            (await door.opened("admin@example.org")).signed_token, activity=False
        )
        for token in (await door.use_cases.list_tokens(me.caller))[1:]:
            await door.use_cases.revoke_token(me.caller, token.id)
        return {"authorization": f"Bearer {made.value}"}
    return {"cookie": f"{door.cookie}={(await door.opened(f'{caller}@example.org')).signed_token}"}


async def document_of(door: Door) -> Any:
    async with door.client(**await credentials(door, "user")) as client:
        return (await client.get("/api/v1/openapi.json")).json()


def operations_of(document: Any) -> list[Any]:
    described: Any = schemathesis.openapi.from_dict(document)
    return [found.ok() for found in described.get_all_operations()]


def attempts(door: Door, run: Any, operation: Any, caller: str, *, known: str) -> set[int]:
    """Return the statuses of the responses."""
    seen: set[int] = set()
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, is_known=st.booleans())
    def attempt(case: Any, *, is_known: bool) -> None:
        if is_known and "user_id" in (case.path_parameters or {}):
            case.path_parameters["user_id"] = known
        response = run(_sent(door, case, caller))
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    attempt()
    return seen


async def _sent(door: Door, case: Any, caller: str) -> httpx.Response:
    sent = case.as_transport_kwargs(base_url="http://localhost")
    sent.pop("cookies", None)
    if isinstance(sent.get("data"), bytes | str):
        sent["content"] = sent.pop("data")
    headers = {
        name: value
        for name, value in sent.pop("headers").items()
        if name.lower() not in {"authorization", "cookie"} or caller == "anonymous"
    }
    headers |= await credentials(door, caller)
    async with door.client() as client:
        return await client.request(headers=headers, **sent)
