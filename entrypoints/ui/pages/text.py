"""How this service's own pages write times, devices and people's names."""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&$:])")

_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def plain(text: str) -> str:
    """What people typed, inside Markdown: shown as typed (ASVS 3.2.2)."""
    return _SPECIAL.sub(r"\\\1", text)


def hello(name: str) -> str:
    return f"# Hello, {plain(name)}"


def moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%d %b %Y, %H:%M UTC")


def day(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%d %b %Y")


def device(agent: str) -> str:
    """A guess that a person recognises; the User-Agent itself when there is none to make."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " on ".join(part for part in (browser, system) if part) or agent[:40] or "Unknown device"


def host_of(address: str) -> str:
    return urlsplit(address).netloc
