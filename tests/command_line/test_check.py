"""`gradioapp db` and `gradioapp check` find faults and name the remedy."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from adapters.system.clock import SystemClock
from application.container import build
from application.running import running
from application.settings import SettingsInvalid, load
from tests.command_line.conftest import Gradioapp
from tests.command_line.test_users import make
from tests.lying_provider import lying_provider
from tests.processes import Process

A_RAG_APP = """import gradio as gr

STORE = {}


def upload(text):
    STORE["document"] = text


def ask(question):
    return STORE.get("document", "Nothing yet")


with gr.Blocks() as demo:
    text, out = gr.Textbox(), gr.Textbox()
    gr.Button("Upload").click(upload, text)
    gr.Button("Ask").click(ask, text, out)
"""


def faults(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("FAULT")]


def serve_once_with_sample_users() -> None:
    async def run() -> None:
        async with running(build(load(env_file=None, sample_users=True))):
            pass

    asyncio.run(run())


def test_the_schema_is_upgraded_downgraded_and_upgraded_again(gradioapp: Gradioapp) -> None:
    empty = gradioapp("db current")
    up = gradioapp("db upgrade")
    again = gradioapp("db upgrade")
    whole = gradioapp("db check")
    down = gradioapp("db downgrade base")
    behind = gradioapp("db check")

    assert "empty" in empty.stdout
    assert "gradioapp db upgrade" in empty.stdout
    assert up.stdout == again.stdout
    assert whole.exit_code == 0
    assert down.stdout == "The database is empty.\n"
    assert behind.exit_code == 1
    assert "gradioapp db upgrade" in behind.stderr


def test_one_step_down_can_be_typed_as_minus_one(gradioapp: Gradioapp) -> None:
    gradioapp("db upgrade")

    result = gradioapp("db downgrade -1")

    assert result.exit_code == 0, result.output


def test_an_unknown_revision_is_refused_in_one_line(gradioapp: Gradioapp) -> None:
    gradioapp("db upgrade")

    result = gradioapp("db downgrade nonsense")

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "nonsense" in result.stderr


def test_check_finds_no_fault_in_an_empty_folder_and_changes_nothing(
    folder: Path, gradioapp: Gradioapp
) -> None:
    result = gradioapp("check")

    assert result.exit_code == 0
    assert faults(result.stdout) == []
    assert "there is no database yet; the first start makes it" in result.stdout
    assert list(folder.iterdir()) == []


def test_a_missing_database_is_a_fault_before_a_deployment(
    folder: Path, gradioapp: Gradioapp
) -> None:
    result = gradioapp("check --deploy")

    assert result.exit_code == 1
    assert any("Type: gradioapp db upgrade" in fault for fault in faults(result.stdout))
    assert list(folder.iterdir()) == []


def test_an_unknown_account_is_refused_with_what_to_type(gradioapp: Gradioapp) -> None:
    gradioapp("db upgrade")

    result = gradioapp("users show nobody@example.org")

    assert result.exit_code != 0
    assert "gradioapp users list" in result.stderr
    assert "gradioapp users create EMAIL" in result.stderr


def test_check_finds_no_fault_in_a_service_with_an_admin(gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")

    result = gradioapp("check")

    assert result.exit_code == 0
    assert faults(result.stdout) == []
    assert len(result.stdout.splitlines()) >= 5


def test_check_says_how_to_make_a_missing_admin(gradioapp: Gradioapp) -> None:
    make(gradioapp)

    result = gradioapp("check")

    assert result.exit_code == 1
    assert "--role admin" in faults(result.stdout)[0]


def test_files_that_others_can_read_are_faults_with_their_remedies(
    folder: Path, gradioapp: Gradioapp
) -> None:
    make(gradioapp, "ada@example.org", "admin")
    (folder / "gradioapp-data").chmod(0o750)
    (folder / "gradioapp-data/secret.key").chmod(0o640)

    found = faults(gradioapp("check").stdout)

    assert len(found) == 2
    assert "chmod 700" in found[0]
    assert "chmod 600" in found[1]


def test_pending_migrations_are_a_fault(gradioapp: Gradioapp) -> None:
    gradioapp("db upgrade")
    gradioapp("db downgrade base")

    result = gradioapp("check")

    assert result.exit_code == 1
    assert "gradioapp db upgrade" in faults(result.stdout)[0]


def test_an_unavailable_database_is_a_fault_and_its_password_is_not_shown(
    gradioapp: Gradioapp,
) -> None:
    result = gradioapp("check", DATABASE_URL="postgresql://ada:hunter22@127.0.0.1:1/accounts")

    assert result.exit_code == 1
    assert "is unavailable" in faults(result.stdout)[0]
    assert "hunter22" not in result.output


def test_each_fault_of_the_settings_has_its_own_line(gradioapp: Gradioapp) -> None:
    result = gradioapp("check", PORT="many", LOG_LEVEL="loud")

    assert result.exit_code == 1
    assert any("GRADIOAPP_PORT" in line for line in faults(result.stdout))
    assert any("GRADIOAPP_LOG_LEVEL" in line for line in faults(result.stdout))


def test_check_for_deploy_applies_the_rules_of_prod_and_reports_all_faults(
    gradioapp: Gradioapp,
) -> None:
    make(gradioapp, "ada@example.org", "admin")
    serve_once_with_sample_users()

    result = gradioapp("check --deploy")

    assert result.exit_code == 1
    found = " ".join(faults(result.stdout))
    assert "GRADIOAPP_SECRET_KEY" in found
    assert "GRADIOAPP_PUBLIC_URL" in found
    assert "gradioapp users disable john@test.com" in found
    assert "the database is available" in result.stdout


def test_settings_that_are_valid_for_prod_pass(gradioapp: Gradioapp) -> None:
    make(gradioapp, "ada@example.org", "admin")

    result = gradioapp(
        "check --deploy",
        SECRET_KEY="Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE",
        PUBLIC_URL="https://app.example.org",
        TRUSTED_PROXIES="10.0.0.0/8",
    )

    assert result.exit_code == 0, result.output
    assert "X-Forwarded-For is believed from 10.0.0.0/8" in result.stdout


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"TRUSTED_PROXIES": "10.0.0.0/8"}, "note   /metrics is 404 for everybody"),
        (
            {"TRUSTED_PROXIES": "10.0.0.0/8", "METRICS_TOKEN": "scrape-7Qx2Lm9Rt4Vb"},
            "ok     /metrics opens with GRADIOAPP_METRICS_TOKEN",
        ),
        ({}, "ok     /metrics opens for programs on this machine"),
    ],
)
def test_check_says_who_may_read_the_metrics(
    gradioapp: Gradioapp, changes: dict[str, str], says: str
) -> None:
    settings = {
        "SECRET_KEY": "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE",
        "PUBLIC_URL": "https://app.example.org",
    }

    result = gradioapp("check --deploy", **settings, **changes)

    assert says in result.stdout
    assert "scrape-7Qx2Lm9Rt4Vb" not in result.output


@pytest.mark.parametrize(
    ("public_url", "is_fault"),
    [("https://app.example.org", True), ("http://127.0.0.1:8080", False)],
)
def test_an_https_address_without_a_listed_proxy_is_a_fault_before_a_deployment(
    gradioapp: Gradioapp, public_url: str, *, is_fault: bool
) -> None:
    make(gradioapp, "ada@example.org", "admin")
    settings = {"SECRET_KEY": "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE", "PUBLIC_URL": public_url}

    deployed, tried = gradioapp("check --deploy", **settings), gradioapp("check", **settings)

    assert deployed.exit_code == int(is_fault)
    assert ("GRADIOAPP_TRUSTED_PROXIES is empty" in deployed.stdout) is is_fault
    assert tried.exit_code == 0


PROD = {
    "environment": "prod",
    "secret_key": "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE",
    "public_url": "https://app.example.org",
}


@pytest.mark.asvs("V6.3.2")
def test_prod_does_not_start_while_a_sample_user_can_sign_in(gradioapp: Gradioapp) -> None:
    serve_once_with_sample_users()

    async def serve() -> None:
        async with running(build(load(env_file=None, **PROD))):
            pass

    with pytest.raises(SettingsInvalid, match=r"users disable john@test\.com") as refusal:
        asyncio.run(serve())
    assert len(refusal.value.faults) == 2

    in_prod = {name.upper(): value for name, value in PROD.items()}
    for email in ("john@test.com", "jane@test.com"):
        assert gradioapp(f"users disable {email}", **in_prod).exit_code == 0
    asyncio.run(serve())


def checked(start: Callable[..., Process]) -> list[str]:
    """Check the app in a process of its own: Gradio leaves an event loop behind."""
    process = start("gradioapp", "check", "--app", "rag_app.py")
    assert process.popen.wait(timeout=90) == 0
    process.may_hear("there is no database yet", within=10)
    return process.said.splitlines()


@pytest.mark.server
def test_globals_that_all_users_share_are_a_note_and_no_fault(
    folder: Path, start: Callable[..., Process]
) -> None:
    (folder / "rag_app.py").write_text(A_RAG_APP)

    notes = [line for line in checked(start) if line.startswith("note")]

    assert len(notes) == 1
    assert f"All users share STORE ({folder}/rag_app.py, line 3, changed by upload)" in notes[0]
    assert "gr.State" in notes[0]
    assert "current_session().data" in notes[0]


@pytest.mark.server
def test_what_is_meant_to_be_shared_is_not_noted(
    folder: Path, start: Callable[..., Process]
) -> None:
    (folder / "rag_app.py").write_text(A_RAG_APP.replace("STORE = {}", "STORE = {}  # shared"))

    lines = checked(start)

    assert "ok     rag_app.py is the page Rag app" in lines
    assert [line for line in lines if line.startswith("note")] == []


@pytest.mark.server
@pytest.mark.parametrize(
    ("name", "code", "starts"),
    [
        ("", 0, "threading.Thread(target=forever, daemon=False).start()"),
        (":absent", 1, "concurrent.futures.ThreadPoolExecutor(1).submit(forever)"),
    ],
)
def test_check_ends_although_an_app_has_started_a_thread_that_does_not(
    name: str, code: int, starts: str, folder: Path, start: Callable[..., Process]
) -> None:
    text = f"import concurrent.futures, threading\nforever = threading.Event().wait\n{starts}\n"
    (folder / "rag_app.py").write_text(text + A_RAG_APP)

    process = start("gradioapp", "check", "--app", f"rag_app.py{name}")

    assert process.popen.wait(timeout=90) == code
    assert process.may_hear("there is no database yet", within=10)


CLOUDFLARE = {
    "PROXY_IDENTITY_HEADER": "Cf-Access-Jwt-Assertion",
    "PROXY_IDENTITY_ISSUER": "https://team.cloudflareaccess.com",
    "PROXY_IDENTITY_AUDIENCE": "32eafc7626e737d3",
    "PROXY_IDENTITY_JWKS_URL": "https://team.cloudflareaccess.com/cdn-cgi/access/certs",
    "PROXY_IDENTITY_DOMAINS": "example.org",
}


def of_prod(**settings: str) -> dict[str, str]:
    return {
        "SECRET_KEY": "Zk3vQ9xT7pLw2RbN8mYc5HdF1sJg6KuE",
        "PUBLIC_URL": "https://app.example.org",
        "TRUSTED_PROXIES": "10.0.0.1",
        **CLOUDFLARE,
        **settings,
    }


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"TRUSTED_PROXIES": ""}, "_HEADER needs GRADIOAPP_TRUSTED_PROXIES"),
        (
            {"PROXY_IDENTITY_HEADER": "X-Forwarded-User"},
            "_HEADER names a header that is not signed",
        ),
        ({"PROXY_IDENTITY_AUDIENCE": ""}, "_AUDIENCE is missing"),
        ({"PROXY_IDENTITY_JWKS_URL": "http://127.0.0.1/keys"}, "_JWKS_URL must be https://"),
        ({"PROXY_IDENTITY_HEADER": ""}, "needs GRADIOAPP_PROXY_IDENTITY_HEADER"),
    ],
)
def test_an_unsafe_proxy_that_signs_people_in_is_a_fault_before_a_deployment(
    gradioapp: Gradioapp, settings: dict[str, str], sentence: str
) -> None:
    result = gradioapp("check --deploy", **of_prod(**settings))

    assert result.exit_code == 1
    assert any(sentence in line for line in faults(result.stdout)), result.stdout


def test_check_notes_what_deserves_a_look_at_a_proxy_that_signs_people_in(
    gradioapp: Gradioapp,
) -> None:
    loose = gradioapp("check --deploy", **of_prod(TRUSTED_PROXIES="10.0.0.0/24"))
    tight = gradioapp(
        "check --deploy",
        **of_prod(PASSWORD_SIGN_IN="off", PROXY_IDENTITY_SIGN_OUT_URL="/cdn-cgi/access/logout"),
    )

    for sentence in ("10.0.0.0/24", "past the proxy", "PROXY_IDENTITY_SIGN_OUT_URL"):
        assert sum(sentence in line for line in loose.stdout.splitlines() if "note" in line) == 1
        assert not any(sentence in line for line in tight.stdout.splitlines() if "note" in line)
    assert "ok     Cf-Access-Jwt-Assertion of these proxies says who people are" in tight.stdout


def test_check_asks_each_identity_provider_whether_it_answers(gradioapp: Gradioapp) -> None:
    with lying_provider(SystemClock()) as liar:
        settings = {"OIDC_CORP_ISSUER": liar.issuer, "OIDC_CORP_CLIENT_ID": "us"}
        fine = gradioapp("check", **settings)
        liar.document["issuer"] = "https://another.example.org"
        another = gradioapp("check", **settings)
    gone = gradioapp("check", **settings)

    assert f"ok     Corp ({liar.issuer}) answers" in fine.stdout
    for refused, reason in ((another, "another.example.org"), (gone, liar.issuer)):
        (line,) = faults(refused.stdout)
        assert "GRADIOAPP_OIDC_CORP_ISSUER" in line
        assert reason in line
        assert refused.exit_code == 1


HEAD: Final = "import gradio as gr\nfrom gradioapp import Page, User, injected\n"
CLICKED: Final = (
    "with gr.Blocks(title='T') as demo:\n    t = gr.Textbox(); gr.Button().click(f, t, t{})\n"
)
REFUSED: Final = {
    "a batch of gr.Request": (
        "def f(x, r: gr.Request): return [x]\n" + CLICKED.format(", batch=True"),
        "f is a batch=True event that takes gr.Request",
    ),
    "a user as an input": (
        "def f(user: User, x): return x\n" + CLICKED.format(""),
        "user",
    ),
    "a cache of one caller": (
        "@gr.cache\ndef f(x, *, user: User = injected): return x\n" + CLICKED.format(""),
        "f is cached by gr.cache and takes User",
    ),
    "a path that is none": (
        "demo = Page(gr.Blocks(), title='T', path='../x')\n",
        "The page 'T' needs another path= than '../x'",
    ),
    "a source that is none": (
        "demo = Page(gr.Blocks(), title='T', csp={'script-src': ['*']})\n",
        "The csp= of the page 'T'",
    ),
}


@pytest.mark.server
@pytest.mark.parametrize("case", REFUSED)
def test_what_serve_refuses_is_a_fault_of_check(
    case: str, folder: Path, start: Callable[..., Process]
) -> None:
    text, said = REFUSED[case]
    (folder / "rag_app.py").write_text(HEAD + text)

    checks = start("gradioapp", "check", "--app", "rag_app.py")
    [fault] = faults(checks.ends())
    serves = start("gradioapp", "serve", "--port", "0", "--app", "rag_app.py")

    assert said in fault
    assert fault.removeprefix("FAULT").strip() in serves.ends()
    assert serves.popen.returncode != 0


@pytest.mark.server
def test_two_pages_with_one_address_are_a_fault(
    folder: Path, start: Callable[..., Process]
) -> None:
    (folder / "one.py").write_text(f"{HEAD}demo = Page(gr.Blocks(), title='One', path='same')\n")
    (folder / "two.py").write_text(f"{HEAD}demo = Page(gr.Blocks(), title='Two', path='same')\n")

    checks = start("gradioapp", "check", "--app", "one.py", "--app", "two.py")

    [fault] = faults(checks.ends())
    assert "Two pages have the same address" in fault


@pytest.mark.server
def test_a_file_with_two_apps_is_loaded_once(folder: Path, start: Callable[..., Process]) -> None:
    text = "print('It is loaded', flush=True)\na = gr.Blocks(title='A')\nb = gr.Blocks(title='B')\n"
    (folder / "both.py").write_text(HEAD + text)

    checks = start(
        "gradioapp", "check", "--app", "both.py:a", "--app", "both.py:none", "--app", "both.py:b"
    )

    said = checks.ends()
    assert said.count("It is loaded") == 1
    assert "both.py:a is the page A" in said
    assert "both.py:b is the page B" in said
    assert len(faults(said)) == 1


@pytest.mark.server
def test_check_passes_arguments_to_the_app(folder: Path, start: Callable[..., Process]) -> None:
    text = (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--model', required=True)\n"
    )
    text += "demo = gr.Blocks(title=p.parse_args().model)\n"
    (folder / "rag_app.py").write_text(HEAD + text)

    without = start("gradioapp", "check", "--app", "rag_app.py").ends()
    given = start("gradioapp", "check", "--app", "rag_app.py", "--", "--model", "Large").ends()

    assert "Type its arguments behind --: gradioapp check --app rag_app.py -- ARGUMENTS" in without
    assert "ok     rag_app.py is the page Large" in given
    assert faults(given) == []
