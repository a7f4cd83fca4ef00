"""The examples in deploy/ are valid, name real settings, and a real nginx serves two replicas with its file."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import kubernetes_validate
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from application.settings import Settings
from tests.nginx import certificate_in, free_port, nginx_of, sign_in
from tests.processes import ROOT
from tests.replicas import replicas
from tests.servers import FreshDatabase

DEPLOY: Final = ROOT / "deploy"
LOCK: Final = DEPLOY / "requirements.lock"
EXPORT: Final = (
    "uv export --frozen --no-dev --extra traces --no-emit-project --no-annotate --no-header "
    "--format requirements-txt --quiet"
)
MB: Final = 1024 * 1024


def objects() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


# Versions


def test_the_lock_has_what_is_installed_here() -> None:
    exported = subprocess.run(EXPORT.split(), cwd=ROOT, capture_output=True, text=True, check=True)

    assert exported.stdout == LOCK.read_text(), f"Type: {EXPORT} > deploy/requirements.lock"


def test_the_lock_has_a_version_and_hashes_for_each_dependency_and_no_address() -> None:
    text = LOCK.read_text()
    found = re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    pins = dict(found)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    for line in [*project["dependencies"], *project["optional-dependencies"]["traces"]]:
        needed = Requirement(line)
        assert needed.specifier.contains(pins[canonicalize_name(needed.name)]), line
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(found)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "--index" not in text


# Files


def test_the_compose_file_fits_its_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    told = subprocess.run([*command, DEPLOY / "compose.yaml"], capture_output=True, text=True)

    assert told.returncode == 0, told.stdout


def test_no_pod_gets_variables_that_are_named_like_settings() -> None:
    """Kubernetes derives variables from each Service: GRADIOAPP_PORT and others for one that is named gradioapp."""
    pods = [
        one["spec"]["template"]["spec"] for one in objects() if "template" in one.get("spec", {})
    ]

    assert len(pods) == 2
    assert all(pod["enableServiceLinks"] is False for pod in pods)


def test_the_objects_of_kubernetes_fit_their_schemas() -> None:
    found = objects()

    assert {one["kind"] for one in found} >= {"Deployment", "Service", "Job", "Ingress"}
    for one in found:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("name", sorted(path.name for path in DEPLOY.iterdir() if path != LOCK))
def test_each_file_names_only_settings_that_exist(name: str) -> None:
    path = DEPLOY / name
    text = path.read_text() if path.is_file() else ""

    named = set(re.findall(r"GRADIOAPP_([A-Z_]+)\b", text))

    assert named <= {field.upper() for field in Settings.model_fields}


def test_containers_run_without_rights_on_a_read_only_root() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    pods = [
        one["spec"]["template"]["spec"] for one in objects() if one["kind"] in {"Deployment", "Job"}
    ]

    assert re.search(r"^USER 10001:10001$", dockerfile, re.MULTILINE)
    assert "HEALTHCHECK" in dockerfile
    assert "--require-hashes" in dockerfile
    for each in ("gradioapp-1", "gradioapp-2", "migrate"):
        assert compose[each]["read_only"]
        assert compose[each]["cap_drop"] == ["ALL"]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_nginx_takes_uploads_of_the_usual_limit() -> None:
    usual = Settings.model_fields["upload_limit_mb"].default

    for name in ("nginx.conf", "Caddyfile", "kubernetes.yaml"):
        limits = re.findall(
            r"(?:client_max_body_size|max_size|proxy-body-size:) (\d+)[mM]",
            (DEPLOY / name).read_text(),
        )
        assert limits == [str(usual + 1)], name


# A real nginx

APP: Final = """
import time

import gradio as gr


def counts(count):
    return count + 1, count + 1


def waits(seconds):
    time.sleep(seconds)
    return "done"


with gr.Blocks(title="Shared") as demo:
    count, number, text = gr.State(0), gr.Number(), gr.Textbox()
    gr.Button().click(counts, count, [count, number], api_name="counts")
    gr.Button().click(waits, number, text, api_name="waits")
"""
API: Final = "/gradio/shared/gradio_api"


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgres: FreshDatabase
) -> Iterator[tuple[str, list[str]]]:
    """Serve two replicas behind deploy/nginx.conf. Yield its address and theirs."""
    folder: Path = tmp_path_factory.mktemp("deploy")
    port = free_port()
    here = f"https://127.0.0.1:{port}"
    settings = {"PUBLIC_URL": here, "TRUSTED_PROXIES": "127.0.0.1"}
    with (
        replicas(2, fresh_postgres(), folder, APP, **settings) as origins,
        nginx_of(folder, port, configuration(folder, port, origins)),
    ):
        yield here, list(origins)


def configuration(folder: Path, port: int, origins: Sequence[str]) -> str:
    """Return deploy/nginx.conf with the addresses and files of a test."""
    certificate = certificate_in(folder)
    changes = {
        "gradioapp-1:8080": origins[0].removeprefix("http://"),
        "gradioapp-2:8080": origins[1].removeprefix("http://"),
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "/etc/nginx/tls/app.example.com.pem": str(certificate),
        "/etc/nginx/tls/app.example.com.key": str(certificate),
        # Shorter than an event of the tests is silent.
        "proxy_read_timeout 60s": "proxy_read_timeout 5s",
    }
    text = (DEPLOY / "nginx.conf").read_text()
    for ours, theirs in changes.items():
        assert text.count(ours) == 1, ours
        text = text.replace(ours, theirs)
    return text


@pytest.mark.server
def test_a_request_that_no_replica_accepts_may_be_repeated(tmp_path: Path) -> None:
    port = free_port()
    gone = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]

    with nginx_of(tmp_path, port, configuration(tmp_path, port, gone)):
        answer = httpx.get(f"https://127.0.0.1:{port}/login", verify=False)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


class Visitor:
    """A browser of its own, with a tab."""

    def __init__(self, here: str) -> None:
        self.http = httpx.Client(base_url=here, headers={"origin": here}, verify=False, timeout=60)
        assert sign_in(self.http, here).status_code == 303
        events = self.http.get("/gradio/shared/config").json()["dependencies"]
        self._numbers = {event["api_name"]: event["id"] for event in events}

    def runs(self, name: str, *data: Any) -> Any:
        """Run the event in the tab, and return its last output."""
        body = {"data": data, "fn_index": self._numbers[name], "session_hash": "mine"}
        self.http.post(f"{API}/queue/join", json=body).raise_for_status()
        with self.http.stream("GET", f"{API}/queue/data?session_hash=mine") as stream:
            for line in stream.iter_lines():
                said: dict[str, Any] = json.loads(line[5:]) if line.startswith("data:") else {}
                if said.get("msg") == "process_completed":
                    assert said["success"], said
                    return said["output"]["data"][-1]
        pytest.fail(f"{name} did not end")

    def uploads(self, size: int) -> httpx.Response:
        return self.http.post(f"{API}/upload", files={"files": ("a.bin", bytes(size))})


Visit = Callable[[], Visitor]


@pytest.fixture
def visit(site: tuple[str, list[str]]) -> Iterator[Visit]:
    with ExitStack() as opened:

        def one() -> Visitor:
            visitor = Visitor(site[0])
            opened.callback(visitor.http.close)
            return visitor

        yield one


@pytest.mark.server
def test_each_browser_stays_with_the_replica_that_has_its_state(visit: Visit) -> None:
    visitors = [visit() for _ in range(6)]

    counted = [[visitor.runs("counts", None) for visitor in visitors] for _ in range(4)]

    assert counted == [[number] * 6 for number in (1, 2, 3, 4)]


@pytest.mark.server
def test_both_replicas_get_visitors(site: tuple[str, list[str]]) -> None:
    here, _ = site
    routes = set()
    for _ in range(40):
        answer = httpx.get(f"{here}/readyz", verify=False)
        routes.add(answer.headers["set-cookie"].partition(";")[0])

    assert len(routes) == 40


@pytest.mark.server
def test_http_2_is_spoken_and_plain_http_is_sent_to_https(site: tuple[str, list[str]]) -> None:
    here, _ = site
    command = [
        "curl",
        "--insecure",
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_version} %{http_code}",
    ]
    said = subprocess.run([*command, f"{here}/healthz"], capture_output=True, text=True, check=True)

    assert said.stdout == "2 200"


@pytest.mark.server
def test_an_upload_of_the_limit_arrives_and_a_larger_one_is_refused(visit: Visit) -> None:
    visitor = visit()

    assert visitor.uploads(100 * MB - 1000).status_code == 200
    assert visitor.uploads(102 * MB).status_code == 413


@pytest.mark.server
def test_a_stream_outlives_the_timeout_of_nginx_in_silence(visit: Visit) -> None:
    assert visit().runs("waits", 12) == "done"


@pytest.mark.server
def test_what_a_visitor_says_of_its_address_is_not_passed_on(visit: Visit) -> None:
    visitor = visit()
    lies = {
        "x-forwarded-for": "6.6.6.6",
        "x-forwarded-host": "evil.example",
        "forwarded": "for=6.6.6.6",
        "x-real-ip": "6.6.6.6",
    }

    visitor.http.get("/gradio/", headers=lies)
    told = visitor.http.get("/api/v1/me/sessions").json()

    assert {one["address"] for one in told["items"]} == {"127.0.0.1"}
