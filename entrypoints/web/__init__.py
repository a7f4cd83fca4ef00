"""HTTP's side of the door: the gate in front of everything, and the service's own addresses."""

from entrypoints.web.addresses import access
from entrypoints.web.gate import Gate
from entrypoints.web.install import install
from entrypoints.web.logs import configure_logging

__all__ = ["Gate", "access", "configure_logging", "install"]
