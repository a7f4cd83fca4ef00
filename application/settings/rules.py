"""Rules for combinations of settings, in development and in production."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from application.settings import environment
from application.settings.environment import PREFIX
from application.settings.files_store import faults_of_files_store
from application.settings.hosts import is_loopback_name
from application.settings.model import OWN_PATHS, Settings
from application.settings.oidc import faults_of_providers
from application.settings.proxy_identity import faults_of_proxy
from domain.model.signed_token import SHORTEST_KEY

_SAMPLE_WORDS: Final = ("change", "secret", "example", "sample", "default", "password")

_KEYBOARD: Final = frozenset(
    pair
    for row in ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
    for line in (row, row[::-1])
    for pair in pairwise(line)
)
"""Keys beside each other, in both directions."""

_MAKE_ONE: Final = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"

SHORTEST_METRICS_TOKEN: Final = 16
"""Characters."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1."""

_GRADIO_OPENINGS: Final = (
    "GRADIO_MCP_SERVER",
    "GRADIO_SHARE",
    "GRADIO_VIBE_MODE",
    "GRADIO_ALLOWED_PATHS",
    "GRADIO_WATCH_DIRS",
    "GRADIO_LOCAL_DEV_MODE",
    "GRADIO_DEBUG",
    "GRADIO_PROFILING",
)
"""Variables that weaken Gradio's protection; prod refuses them."""

_OFF: Final = {"", "0", "false"}

_WIDEST: Final = {4: 8, 6: 7}
"""Shortest network prefixes, in bits: those of the private networks 10.0.0.0/8 and fc00::/7."""


def faults_of(settings: Settings) -> list[str]:
    """Return one line per fault, which says what to do."""
    faults = [
        f"{PREFIX}SECRET_KEY: every key must have at least {SHORTEST_KEY} bytes; {_MAKE_ONE}"
        for key in settings.secret_key
        if len(key.get_secret_value().encode()) < SHORTEST_KEY
    ][:1]
    if settings.uses_data_dir and Path.cwd().is_relative_to(settings.data_dir.resolve()):
        faults.append(
            f"{PREFIX}DATA_DIR={settings.data_dir.resolve()} contains the working directory, and apps cannot show files of the data folder: "
            "use a separate folder, such as gradioapp-data"
        )
    faults += _base_path_faults(settings) + _metrics_faults(settings) + _worker_faults(settings)
    if (
        settings.replica_url is not None
        and not settings.may_have_replicas
        and settings.workers == 1
    ):
        faults.append(
            f"{PREFIX}REPLICA_URL: replicas share a PostgreSQL database, and SQLite serves one process: set {PREFIX}DATABASE_URL, or "
            f"remove {PREFIX}REPLICA_URL"
        )
    faults += faults_of_files_store(settings)
    if not (settings.password_sign_in or settings.oidc or settings.proxy_identity_header):
        faults.append(
            f"{PREFIX}PASSWORD_SIGN_IN=off leaves no way to sign in: set up a provider first, with {PREFIX}OIDC_<NAME>_ISSUER"
        )
    is_prod = settings.environment == "prod"
    faults += faults_of_providers(settings.oidc, is_prod=is_prod)
    faults += faults_of_proxy(
        settings,
        providers=settings.oidc,
        has_trusted_proxies=bool(settings.trusted_proxies),
        is_prod=is_prod,
    )
    public = settings.public_url
    opens_http = (
        public is not None and not settings.is_https and not is_loopback_name(_host(public))
    )
    if is_prod:
        return faults + _prod_faults(settings)
    if opens_http and not settings.allow_http:
        faults.append(
            f"{PREFIX}PUBLIC_URL lets other machines connect over http://: use https://, "
            f"or {PREFIX}ALLOW_HTTP=true to try it on a trusted network"
        )
    if not is_loopback_name(settings.host) and not (settings.is_https or settings.allow_http):
        faults.append(
            f"{PREFIX}HOST={settings.host} is reachable from other machines: set {PREFIX}PUBLIC_URL to the https:// "
            f"address people type, or {PREFIX}ALLOW_HTTP=true with {PREFIX}PUBLIC_URL to try it on a trusted network"
        )
    is_reachable = public is not None and not is_loopback_name(_host(public))
    if settings.sample_users and (is_reachable or not is_loopback_name(settings.host)):
        faults.append(
            f"{PREFIX}SAMPLE_USERS have a publicly known password: use them only on this machine"
        )
    if settings.allow_http and public is None:
        faults.append(
            f"{PREFIX}ALLOW_HTTP needs {PREFIX}PUBLIC_URL: the http:// address people type"
        )
    return faults


def _base_path_faults(settings: Settings) -> list[str]:
    """A proxy may remove the path of the public URL or not, so it must differ from our own addresses."""
    _, *parts = settings.base_path.split("/")
    if not parts or not ({parts[0]} & {*OWN_PATHS, settings.ui_path.split("/")[1]}):
        return []
    return [
        f"{PREFIX}PUBLIC_URL: the service itself uses addresses below /{parts[0]}; use another path, "
        f"or set {PREFIX}UI_PATH to another one than {settings.ui_path}"
    ]


def _worker_faults(settings: Settings) -> list[str]:
    if settings.workers == 1:
        return []
    name, alone = f"{PREFIX}WORKERS={settings.workers}", "or serve with one worker"
    faults = []
    if not settings.uses_data_dir:
        faults.append(
            f"{name}: with {PREFIX}ENVIRONMENT=test, all data is in the memory of one process. Set it to dev, {alone}"
        )
    elif not settings.may_have_replicas:
        faults.append(
            f"{name}: workers share a PostgreSQL database, and SQLite serves one process. "
            f"Set {PREFIX}DATABASE_URL=postgresql://user:password@host/name, {alone}"
        )
    if settings.reload:
        faults.append(f"{name}: a reload restarts one worker. Leave out --reload, {alone}")
    if settings.replica_url is not None and urlsplit(settings.replica_url).port != 0:
        faults.append(
            f"{name}: each worker listens for the others at a port of its own. "
            f"Set the port of {PREFIX}REPLICA_URL={settings.replica_url} to 0, {alone}"
        )
    return faults


def _metrics_faults(settings: Settings) -> list[str]:
    if settings.metrics_token is None:
        return []
    token = settings.metrics_token.get_secret_value()
    faults = []
    if len(token) < SHORTEST_METRICS_TOKEN or not _TOKEN.fullmatch(token):
        faults.append(
            f"{PREFIX}METRICS_TOKEN must have at least {SHORTEST_METRICS_TOKEN} characters, of the letters, digits and signs "
            f"of a bearer token; {_MAKE_ONE}"
        )
    elif settings.environment == "prod" and _is_predictable(token.lower()):
        faults.append(
            f"{PREFIX}METRICS_TOKEN is easy to guess, because it repeats itself or follows the alphabet or the keyboard; {_MAKE_ONE}"
        )
    return faults


def _prod_faults(settings: Settings) -> list[str]:
    public = settings.public_url
    secrets = [key.get_secret_value() for key in settings.secret_key]
    checks = {
        f"{PREFIX}SECRET_KEY is missing: prod does not use the key file of dev": not secrets,
        f"{PREFIX}SECRET_KEY looks like a sample: make your own key": any(
            len(set(key)) < 10 or any(word in key.lower() for word in _SAMPLE_WORDS)
            for key in secrets
        ),
        f"{PREFIX}SECRET_KEY is easy to guess, because it repeats itself or follows the alphabet or the keyboard; {_MAKE_ONE}": any(
            _is_predictable(key.lower()) for key in secrets
        ),
        f"{PREFIX}PUBLIC_URL is missing: set it to the https:// address people type": public
        is None,
        f"{PREFIX}PUBLIC_URL must be https:// in prod": public is not None
        and not settings.is_https
        and not is_loopback_name(_host(public)),
        f"{PREFIX}ALLOW_HTTP is for dev only": settings.allow_http,
        f"{PREFIX}SAMPLE_USERS is for dev only": settings.sample_users,
        f"{PREFIX}RELOAD is for dev only": settings.reload,
        f"{PREFIX}TRUSTED_PROXIES trusts too many addresses: name those of the proxy": any(
            network.prefixlen < _WIDEST[network.version] for network in settings.trusted_proxies
        ),
    }
    opened = [name for name in _GRADIO_OPENINGS if environment.value(name).lower() not in _OFF]
    return [line for line, is_fault in checks.items() if is_fault] + [
        f"{name} weakens Gradio's protection: remove it" for name in opened
    ]


def _is_predictable(key: str) -> bool:
    """Return whether half of the characters follow from earlier ones: the key repeats itself, or its characters, or
    every second one, are neighbours in the alphabet or on a keyboard. A random key has far fewer of them."""

    def is_half(follows: Callable[[str, str], bool], distance: int) -> bool:
        found = sum(follows(*pair) for pair in zip(key, key[distance:], strict=False))
        return 2 * found >= len(key)

    return any(is_half(_are_neighbours, distance) for distance in (1, 2)) or any(
        is_half(str.__eq__, distance) for distance in range(1, len(key) // 2 + 1)
    )


def _are_neighbours(one: str, other: str) -> bool:
    return abs(ord(one) - ord(other)) <= 1 or (one, other) in _KEYBOARD


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
