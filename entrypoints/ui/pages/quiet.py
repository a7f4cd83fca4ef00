"""How this service's own pages react: a refusal is a pop-up, and what was typed stays in sight."""

from typing import Any, Final

QUIET: Final[dict[str, Any]] = {"api_visibility": "private", "show_progress": "hidden"}
"""For an event's listener. With Gradio's progress, a refusal covers every output with the word "Error"."""
