"""Build the OpenAPI document of the JSON API, and the data for its HTML page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from entrypoints.web.schemas import SESSION, TOKEN, ProblemDocument

Document = dict[str, Any]

_ABOUT: Final = (
    "Every operation needs a session: sign in at `/login`, and send the cookie. Programs send an access token instead, "
    "as `Authorization: Bearer …`; with it, they cannot manage tokens, passwords and sessions. Bodies are "
    "`application/json`; times are UTC. Errors are problem documents (RFC 9457)."
)


def document(routes: Sequence[BaseRoute], *, title: str, version: str, cookie: str) -> Document:
    made = get_openapi(title=title, version=version, description=_ABOUT, routes=routes)
    components = made.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = ProblemDocument.model_json_schema()
    components["securitySchemes"] = {
        SESSION: {"type": "apiKey", "in": "cookie", "name": cookie},
        TOKEN: {"type": "http", "scheme": "bearer"},
    }
    made["security"] = [{SESSION: []}, {TOKEN: []}]
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A type in words. `link` names the schema with the details."""

    before: str = ""
    link: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    name: str
    shape: Shape
    is_required: bool
    rules: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: str
    about: str
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    id: str
    method: str
    path: str
    title: str
    about: str
    tag: str
    parameters: Sequence[Field]
    body: Shape | None
    replies: Sequence[Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    name: str
    about: str
    fields: Sequence[Field]


def operations(made: Document) -> Iterator[Operation]:
    for path, methods in made["paths"].items():
        for method, told in methods.items():
            yield Operation(
                id=f"{method}{path.replace('/', '-').replace('{', '').replace('}', '')}",
                method=method.upper(),
                path=path,
                title=told.get("summary", ""),
                about=told.get("description", ""),
                tag=told["tags"][0],
                parameters=[
                    _field(p["name"], p["schema"], is_required=p.get("required", False), about=p)
                    for p in told.get("parameters", [])
                ],
                body=_content(told.get("requestBody")),
                replies=[_reply(status, reply) for status, reply in told["responses"].items()],
            )


def schemas(made: Document) -> Iterator[Schema]:
    for name, schema in made["components"]["schemas"].items():
        required = schema.get("required", [])
        yield Schema(
            name=name,
            about=schema.get("description", ""),
            fields=[
                _field(key, told, is_required=key in required, about=told)
                for key, told in schema.get("properties", {}).items()
            ],
        )


def _reply(status: str, reply: Mapping[str, Any]) -> Reply:
    return Reply(
        status=status,
        about=reply["description"].replace("Successful Response", "Done."),
        shape=_content(reply) or Shape(),
    )


def _content(holder: Mapping[str, Any] | None) -> Shape | None:
    if not holder or "content" not in holder:
        return None
    (media_type,) = holder["content"].values()
    return _shape(media_type["schema"])


def _field(
    name: str, schema: Mapping[str, Any], *, is_required: bool, about: Mapping[str, Any]
) -> Field:
    return Field(
        name=name,
        shape=_shape(schema),
        is_required=is_required,
        rules=_rules(schema),
        about=about.get("description", ""),
    )


def _shape(schema: Mapping[str, Any]) -> Shape:
    if "$ref" in schema:
        return Shape(link=schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        inner, *others = [_shape(option) for option in schema["anyOf"]]
        after = "".join(f" or {other.before}" for other in others)
        return Shape(before=inner.before, link=inner.link, after=inner.after + after)
    if schema.get("type") == "array":
        item = _shape(schema.get("items", {}))
        return Shape(before=f"list of {item.before}", link=item.link, after=item.after)
    plain = schema.get("type", "anything")
    return Shape(before=_FORMATS.get(schema.get("format", ""), _TYPES.get(plain, plain)))


_TYPES: Final = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_FORMATS: Final = {"uuid": "id (UUID)", "date-time": "time", "password": "text (secret)"}


def _rules(schema: Mapping[str, Any]) -> str:
    options = [schema, *schema.get("anyOf", [])]
    return "; ".join(rule for option in options for rule in _rules_of(option))


def _rules_of(schema: Mapping[str, Any]) -> Iterator[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most is not None:
        yield f"{least} to {most} characters" if least else f"at most {most} characters"
    if "maximum" in schema:
        yield f"{schema.get('minimum', 0)} to {schema['maximum']}"
    if "maxItems" in schema:
        yield f"at most {schema['maxItems']}"
    if schema.get("default") not in (None, "", []):
        yield f"default {schema['default']}"
