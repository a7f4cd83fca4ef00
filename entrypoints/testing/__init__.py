"""The test kit for authors: an app as it is served, signed-in people who use it, no server and no network."""

from entrypoints.testing.events import File
from entrypoints.testing.people import Person
from entrypoints.testing.refusals import Failed, Refused, refused
from entrypoints.testing.serving import Served, serving

__all__ = ["Failed", "File", "Person", "Refused", "Served", "refused", "serving"]
