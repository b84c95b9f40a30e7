"""The text fields of the API's bodies, read from its own description."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

Field = tuple[str, ...]
_EACH = "0"


def text_fields(description: Mapping[str, Any]) -> dict[tuple[str, str], list[Field]]:
    """By method and address: the path of every field that takes any text."""
    found: dict[tuple[str, str], list[Field]] = defaultdict(list)
    for address, methods in description["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            for media in content.values():
                found[method.upper(), address] = list(dict.fromkeys(_texts(media["schema"], description)))
    return found


def _texts(schema: Mapping[str, Any], description: Mapping[str, Any], before: Field = ()) -> Iterator[Field]:
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for inner in (*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from _texts(inner, description, before)
    kinds = schema.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if "string" in kinds and not {"enum", "format", "const"} & schema.keys():
        yield before
    if "array" in kinds:
        yield from _texts(schema["items"], description, (*before, _EACH))
    for name, inner in schema.get("properties", {}).items():
        yield from _texts(inner, description, (*before, name))


def with_text(body: Mapping[str, Any], field: Field, text: str) -> dict[str, Any]:
    """The body with the text in that field."""
    return _set(dict(body), field, text)  # type: ignore[no-any-return]


def _set(value: Any, field: Field, text: str) -> Any:
    if not field:
        return text
    name, *rest = field
    if name == _EACH:
        first = value[0] if isinstance(value, list) and value else {}
        return [_set(first, tuple(rest), text)]
    held = dict(value) if isinstance(value, dict) else {}
    return held | {name: _set(held.get(name), tuple(rest), text)}
