"""A real nginx in front of real services."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.processes import Process

NGINX: Final = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")

_CONFIGURATION: Final = """
worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  server {{
    listen 127.0.0.1:{port}{tls};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    {server}
  }}
}}
"""

APP: Final = """
import gradio as gr


def shout(text, file):
    yield text.upper(), None
    yield f"{text.upper()}!", file


with gr.Blocks(title="Shout") as demo:
    text, file = gr.Textbox(label="Text"), gr.File(label="File")
    out, back = gr.Textbox(label="Out"), gr.File(label="Back")
    gr.Button("Go").click(shout, [text, file], [out, back], api_name="shout")

if __name__ == "__main__":
    demo.launch()
"""


LOOPBACK: Final = IPv4Address("127.0.0.1")

SAMPLE: Final = {"username": "jane@test.com", "password": "secret"}


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


_TLS: Final = " ssl http2; ssl_certificate {file}; ssl_certificate_key {file}"


@contextmanager
def nginx(
    folder: Path, port: int, server: str, *, certificate: Path | None = None
) -> Iterator[None]:
    """Run nginx with these directives of its one server. `certificate` is a file with a certificate and its key."""
    tls = "" if certificate is None else _TLS.format(file=certificate)
    with nginx_of(folder, port, _CONFIGURATION.format(port=port, server=server, tls=tls)):
        yield


@contextmanager
def nginx_of(folder: Path, port: int, configuration: str) -> Iterator[None]:
    """Run nginx with a whole configuration, which listens on the port."""
    if NGINX is None:
        pytest.skip("no nginx on this machine: apt install nginx-light")
    file = folder / "nginx.conf"
    file.write_text(_of_a_test(configuration, folder))
    process = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(file)])
    try:
        _wait_for(port)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def _of_a_test(configuration: str, folder: Path) -> str:
    """Return the configuration with all files of nginx in the folder."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/nginx-{kind}; " for kind in kinds)
    top = f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
    return top + configuration.replace("http {", f"http {{ {places}", 1)


def _wait_for(port: int) -> None:
    for _ in range(400):
        with closing(socket.socket()) as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("nginx does not accept connections")


def certificate_in(folder: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and its key to one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return file


@contextmanager
def side_by_side(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run two services on one host: nginx passes the path of the one on, and removes that of the other. Yield their
    public URLs by these names."""
    port = free_port()
    public = {
        "kept": f"http://127.0.0.1:{port}/one",
        "removed": f"http://127.0.0.1:{port}/tools/two",
    }
    own = {name: free_port() for name in public}
    locations = (
        f"location /one/ {{ proxy_pass http://127.0.0.1:{own['kept']}; }}"
        f"location /tools/two/ {{ proxy_pass http://127.0.0.1:{own['removed']}/; }}"
    )
    with ExitStack() as running:
        for name, url in public.items():
            place = folder / name
            place.mkdir()
            (place / "shout.py").write_text(APP)
            process = Process(
                *("gradioapp", "serve", "--app", "shout.py", "--sample-users"),
                *("--port", str(own[name])),
                folder=place,
                PUBLIC_URL=url,
                MCP="true",
            )
            running.callback(process.end)
            process.hears("Serving at")
        running.enter_context(nginx(folder, port, locations))
        yield public


def sign_in(browser: httpx.Client, url: str, then: str = "") -> httpx.Response:
    page = browser.get(f"{url}/login", params={"next": then}, headers={"accept": "text/html"})
    fields = dict(re.findall(r'name="(csrf_token|next)" value="([^"]*)"', page.text))
    action = re.search(r'action="([^"]+)"', page.text)
    assert action is not None
    assert action[1] == f"{urlsplit(url).path}/login"
    return browser.post(f"{url}/login", data={**fields, **SAMPLE})


def token_of(browser: httpx.Client, url: str) -> str:
    made = browser.post(f"{url}/api/v1/me/tokens", json={"name": "test"})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])
