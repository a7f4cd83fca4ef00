"""The test kit for authors: `from gradioapp.testing import serving`."""

from entrypoints.testing import Failed, File, Person, Refused, Served, refused, serving

__all__ = ["Failed", "File", "Person", "Refused", "Served", "refused", "serving"]
