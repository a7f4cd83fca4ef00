"""The test kit for authors: serve an app and use it as signed-in people, without a server and a network."""

from entrypoints.testing.events import File
from entrypoints.testing.people import Person
from entrypoints.testing.refusals import Failed, Refused, refused
from entrypoints.testing.serving import Served, serving

__all__ = ["Failed", "File", "Person", "Refused", "Served", "refused", "serving"]
