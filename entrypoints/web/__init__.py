"""The HTTP side of the service: the gate in front of everything, and the service's own addresses."""

from entrypoints.web.addresses import access
from entrypoints.web.form_tokens import FormTokens
from entrypoints.web.gate import Gate
from entrypoints.web.install import counting, install
from entrypoints.web.logs import configure_logging
from entrypoints.web.pages import Pages
from entrypoints.web.proxy_identity import ProxyIdentity

__all__ = [
    "FormTokens",
    "Gate",
    "Pages",
    "ProxyIdentity",
    "access",
    "configure_logging",
    "counting",
    "install",
]
