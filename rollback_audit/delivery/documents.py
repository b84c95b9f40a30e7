"""The configuration file as plain data: JSON, TOML or YAML, told by its name."""

import json
import tomllib
from collections.abc import Callable, Hashable
from typing import Any

import yaml


class UnreadableDocument(Exception):
    """The file cannot be used. Says why in our words: a parser's message would quote the file."""


class _StrictLoader(yaml.SafeLoader):
    """YAML, less the key that silently overrides another."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len({str(key) for key in keys}) < len(keys):
            raise UnreadableDocument("the same key stands twice")
        return super().construct_mapping(node, deep=deep)


def parse(content: bytes, *, suffix: str) -> dict[str, Any]:
    """The document's top level. Raises UnreadableDocument."""
    parser = _PARSERS.get(suffix.lower())
    if parser is None:
        raise UnreadableDocument("the name must end in .json, .toml, .yaml or .yml")
    try:
        document = parser(content.decode())
    except UnicodeDecodeError:
        raise UnreadableDocument("the file is not UTF-8 text") from None
    except (ValueError, yaml.YAMLError, RecursionError, TypeError):
        raise UnreadableDocument(f"the file is not valid {suffix.lstrip('.').upper()}") from None
    if not isinstance(document, dict):
        raise UnreadableDocument("the top level must be a table with the key connectors")
    return document


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_without_repeats)


def _yaml(text: str) -> Any:
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UnreadableDocument("the same key stands twice")
    return found


_PARSERS: dict[str, Callable[[str], Any]] = {".json": _json, ".toml": tomllib.loads, ".yaml": _yaml, ".yml": _yaml}
