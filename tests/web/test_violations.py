"""Browsers' reports of policy violations are validated and logged once, with the source to add."""

import json
from typing import Any, Final

import httpx
import pytest

from entrypoints.web.violations import (
    AGAIN_AFTER,
    MOST,
    MOST_PER_PERSON,
    Unreadable,
    Violation,
    Violations,
    reported,
)
from tests.web.conftest import Door, Lines

WHERE: Final = "/csp-reports"
EVENT: Final = "page stopped by its content security policy"


def a_report(**changed: Any) -> dict[str, Any]:
    return {
        "document-uri": "http://localhost/gradio/maps/?token=hunter2#x",
        "referrer": "http://localhost/?token=hunter2",
        "effective-directive": "img-src",
        "violated-directive": "img-src",
        "blocked-uri": "https://images.example.com/a.png?token=hunter2",
        "source-file": "http://localhost/gradio/maps/?token=hunter2",
        "script-sample": "hunter2",
        "original-policy": "default-src 'none'",
    } | {name.replace("_", "-"): value for name, value in changed.items()}


async def sends(client: httpx.AsyncClient, told: Any, kind: str = "csp-report") -> int:
    content = told if isinstance(told, bytes) else json.dumps(told).encode()
    headers = {"content-type": f"application/{kind}", "sec-fetch-site": "same-origin"}
    return (await client.post(WHERE, content=content, headers=headers)).status_code


def told(lines: Lines) -> list[Any]:
    return [line for line in lines if line["event"] == EVENT]


def read(**changed: Any) -> list[Violation]:
    body = json.dumps({"csp-report": a_report(**changed)}).encode()
    return list(reported(body, host="localhost"))


@pytest.mark.asvs("3.4.7", "16.2.5")
async def test_a_violation_is_one_line_with_the_source_to_add(door: Door, lines: Lines) -> None:
    async with await door.signed_in() as ada:
        status = await sends(ada, {"csp-report": a_report()})

    (line,) = told(lines)
    assert status == 204
    assert line["log_level"] == "warning"
    assert (line["page"], line["directive"], line["blocked"]) == (
        "/gradio/maps/",
        "img-src",
        "https://images.example.com",
    )
    assert line["add"] == 'csp={"img-src": "https://images.example.com"}'
    assert "hunter2" not in str(lines)
    assert "debug" in {other["log_level"] for other in lines if other["event"] == "request"}


@pytest.mark.asvs("3.4.7")
async def test_the_format_of_the_reporting_api_is_accepted(door: Door, lines: Lines) -> None:
    body = {
        "documentURL": "http://localhost/gradio/maps/",
        "effectiveDirective": "script-src-elem",
        "blockedURL": "https://cdn.example.com/lib.js",
        "sample": "hunter2",
    }
    other = {"type": "deprecation", "body": {"id": "x"}}

    async with await door.signed_in() as ada:
        status = await sends(ada, [other, {"type": "csp-violation", "body": body}], "reports+json")

    assert status == 204
    assert [line["add"] for line in told(lines)] == [
        'csp={"script-src": "https://cdn.example.com"}'
    ]


def test_the_line_has_the_csp_argument_that_the_author_can_write(subtests: pytest.Subtests) -> None:
    for directive, blocked, add in [
        ("script-src", "eval", 'csp={"script-src": "\'unsafe-eval\'"}'),
        ("script-src", "wasm-eval", 'csp={"script-src": "\'wasm-unsafe-eval\'"}'),
        ("script-src-elem", "inline", "nothing: put the script into Blocks(head=…)"),
        ("script-src-elem", "data", "nothing: put the script into Blocks(head=…)"),
        (
            "connect-src",
            "wss://feed.example.com/x",
            'csp={"connect-src": "wss://feed.example.com"}',
        ),
        ("frame-src", "http://localhost/gradio/", 'csp={"frame-src": "\'self\'"}'),
        ("frame-src", "data", 'csp={"frame-src": "data:"}'),
        ("font-src", "https://a:b@fonts.example.com:8443/x", 'csp={"font-src": "https://fonts.exa'),
        ("img-src", "http://images.example.com/a.png", "nothing: load it over https"),
        ("img-src", "http://127.0.0.1:9000/a.png", 'csp={"img-src": "http://127.0.0.1:9000"}'),
        ("base-uri", "https://evil.example", "nothing: the base of a page cannot be changed"),
        ("script-src-elem", "http://localhost/gradio/x.js", "nothing: files of an app cannot"),
        (
            "worker-src",
            "http://localhost/gradio/x.js",
            "nothing: files of an app cannot be scripts",
        ),
    ]:
        with subtests.test(directive=directive, blocked=blocked, add=add):
            (violation,) = read(effective_directive=directive, blocked_uri=blocked)

            assert violation.add.startswith(add)
            assert "a:b@" not in violation.blocked


@pytest.mark.asvs("16.4.1", "16.2.5")
def test_a_foreign_or_forged_report_is_not_logged(subtests: pytest.Subtests) -> None:
    reports: list[dict[str, Any]] = [
        {"document_uri": "http://localhost/gradio/\n2026 [error] forged"},
        {"document_uri": "http://localhost/gradio/\u2028forged"},
        {"document_uri": "http://localhost/" + "x" * 300},
        {"document_uri": "http://evil.example/gradio/"},
        {"document_uri": "http://[bad/"},
        {"document_uri": 7},
        {"effective_directive": "img-src\nforged"},
        {"effective_directive": "made-up"},
        {"effective_directive": ["img-src"]},
        {"blocked_uri": "https://a.example\x1b[31m"},
        {"blocked_uri": "forged words"},
        {"blocked_uri": "chrome-extension://abc/x.js"},
        {"blocked_uri": 'https://a"}b.example/'},
        {"blocked_uri": "https://[bad"},
        {"blocked_uri": None},
    ]

    for changed in reports:
        with subtests.test(changed=changed):
            assert read(**changed) == []


async def test_an_invalid_report_is_refused(
    door: Door, lines: Lines, subtests: pytest.Subtests
) -> None:
    async with await door.signed_in() as ada:
        for content in [b"", b"{", b"\xff\xfe", b"1", b"{}", b'{"csp-report": 1}', b"[" * 16_000]:
            with subtests.test(content=content[:20]):
                assert await sends(ada, content) == 400

    assert not told(lines)


@pytest.mark.parametrize("content", [b"[]", b"[1, {}, null]", b'[{"type": "csp-violation"}]'])
def test_a_list_without_a_violation_yields_none(content: bytes) -> None:
    assert list(reported(content, host="localhost")) == []
    with pytest.raises(Unreadable):
        reported(content[:-1], host="localhost")


async def test_other_content_types_large_reports_and_gets_are_refused(door: Door) -> None:
    async with await door.signed_in() as ada:
        assert await sends(ada, {"csp-report": a_report()}, "json") == 415
        assert await sends(ada, b" " * (16 * 1024 + 1)) == 413
        assert (await ada.get(WHERE)).status_code == 405


@pytest.mark.asvs("3.5.1")
async def test_only_signed_in_pages_of_our_own_can_report(door: Door, lines: Lines) -> None:
    async with door.client() as stranger, await door.signed_in() as ada:
        assert await sends(stranger, {"csp-report": a_report()}) == 401
        headers = {"content-type": "application/csp-report", "sec-fetch-site": "cross-site"}
        there = await ada.post(WHERE, json={"csp-report": a_report()}, headers=headers)

    assert there.status_code == 403
    assert not told(lines)


async def test_a_report_keeps_no_session_awake(door: Door) -> None:
    async with await door.signed_in() as ada:
        for _ in range(4):
            door.passes(minutes=20)
            last = await sends(ada, {"csp-report": a_report()})

    assert last == 401


# Floods


def a_violation(number: int) -> Violation:
    return Violation(page="/gradio/", directive="img-src", blocked=f"https://a{number}.example.com")


async def test_a_repeated_violation_is_logged_once(door: Door, lines: Lines) -> None:
    async with await door.signed_in() as ada:
        for _ in range(3):
            assert await sends(ada, {"csp-report": a_report()}) == 204

    assert len(told(lines)) == 1


def test_a_repeated_violation_is_logged_again_after_an_hour(lines: Lines) -> None:
    time = [0.0]
    violations = Violations(now=lambda: time[0])
    violations.tell(a_violation(1), user_id="1")

    time[0] = AGAIN_AFTER - 1
    violations.tell(a_violation(1), user_id="1")
    assert len(told(lines)) == 1
    time[0] = AGAIN_AFTER
    violations.tell(a_violation(1), user_id="1")

    assert len(told(lines)) == 2


def test_one_account_fills_only_its_share_of_the_log(lines: Lines) -> None:
    violations = Violations(now=lambda: 0.0)
    for number in range(1000):
        violations.tell(a_violation(number), user_id="flooding")

    violations.tell(a_violation(2000), user_id="other")

    assert len(told(lines)) == MOST_PER_PERSON + 1


def test_all_accounts_together_have_a_limit_in_the_log(lines: Lines) -> None:
    violations = Violations(now=lambda: 0.0)

    for number in range(2 * MOST):
        violations.tell(a_violation(number), user_id=str(number))

    assert len(told(lines)) == MOST
