"""Renders the service's own pages: templates of ours, our own CSS, no script but in frame.html and signed_in.html."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from application.settings import Settings
from domain.model import password, user
from entrypoints.base_path import BasePath
from entrypoints.web.problems import Problem
from entrypoints.web.static_files import StaticFiles

_NEXT_STEP: Final = {
    401: ("/login", "Sign in"),
    410: ("/login", "Sign in"),
}

_LIMITS: Final = {
    "email": user.LONGEST_EMAIL,
    "name": user.LONGEST_NAME,
    "typed_password": password.LONGEST_TYPED,
    "shortest_password": password.SHORTEST,
    "longest_password": password.LONGEST,
}
"""Characters, of fields in forms."""

_TEMPLATES: Final = Environment(
    loader=PackageLoader("entrypoints.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    files: StaticFiles
    always: Mapping[str, Any]
    """What every template may show."""

    @classmethod
    def load(cls, settings: Settings) -> "Pages":
        """Read the static files. Call it once, at start-up."""
        files = StaticFiles.load()
        base = BasePath(settings.base_path)
        always = {
            "project_name": settings.project_name,
            "asset": lambda name: base.outside(files.address(name)),
            "here": base.outside,
            "limits": _LIMITS,
        }
        return cls(files=files, always=always)

    def render(self, template: str, **values: Any) -> str:
        return _TEMPLATES.get_template(template).render({**self.always, **values})

    def of_problem(self, problem: Problem, request_id: str, *, is_in_frame: bool = False) -> str:
        """Render the error page. In a frame, its link opens a new tab: where it leads may not be framed."""
        address, label = _NEXT_STEP.get(problem.status, ("/", "Go to the start page"))
        return self.render(
            "error.html",
            status=problem.status,
            title=problem.title,
            sentence=problem.detail,
            request_id=request_id,
            address=address,
            label=label,
            is_in_frame=is_in_frame,
        )
