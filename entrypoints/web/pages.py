"""Renders the service's own pages: templates of ours, our own CSS, no script."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from application.settings import Settings
from entrypoints.web.problems import Problem
from entrypoints.web.static_files import StaticFiles

_NEXT_STEP: Final = {
    401: ("/login", "Sign in"),
    410: ("/login", "Sign in"),
}


_TEMPLATES: Final = Environment(
    loader=PackageLoader("entrypoints.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    always: Mapping[str, Any]
    """What every template may show."""

    @classmethod
    def load(cls, settings: Settings, files: StaticFiles) -> "Pages":
        return cls(always={"project_name": settings.project_name, "asset": files.address})

    def render(self, template: str, **values: Any) -> str:
        return _TEMPLATES.get_template(template).render({**self.always, **values})

    def of_problem(self, problem: Problem, request_id: str) -> str:
        href, label = _NEXT_STEP.get(problem.status, ("/", "Go to the start page"))
        return self.render(
            "error.html",
            status=problem.status,
            title=problem.title,
            sentence=problem.detail,
            request_id=request_id,
            href=href,
            label=label,
        )
