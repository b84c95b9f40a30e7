"""The connectors as an operator wrote them down (contract, section 4), checked and with their secrets resolved.

A broken connector becomes a `Problem` and the others work. A problem names the file, the connector and the key, never a
value: a value may be a secret that was put in the wrong place.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings
from rollback_audit.delivery.documents import UnreadableDocument, parse
from rollback_audit.delivery.entries import settings_from
from rollback_audit.delivery.sources import CONFIG_BYTES, Source, SourceReader
from rollback_audit.redaction import credential_rule

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
# A key's name is told so that it can be found. A secret that stands in a key's place is not made of short words.
_SPOKEN = re.compile(r"[A-Za-z0-9]{1,20}(?:[_. ?-]{1,3}[A-Za-z0-9]{1,20}){0,7}")
_NO_WORD = re.compile(r"[A-Za-z0-9]*[0-9][A-Za-z0-9]*")
_SHORT = 2
_HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a connector, or with `connector` None the whole file, cannot be used."""

    file: str
    connector: str | None
    key: str
    problem: str

    def __str__(self) -> str:
        place = f"connectors.{self.connector}.{self.key}" if self.connector else self.key
        return f"{self.file}: {place} {self.problem}"


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every connector that can be used, by name, and every problem with the others."""

    settings: Mapping[str, ConnectorSettings] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[Problem, ...] = ()
    sources: tuple[Source, ...] = ()

    def is_stale(self) -> bool:
        """Whether a file that was read has changed, come or gone since. Costs one stat a file."""
        return any(Source.of(source.path) != source for source in self.sources)


def load(path: Path | None, *, environ: Mapping[str, str], digest_key: bytes) -> Configuration:
    """Read the file, its secret files and the environment. Never raises for what they hold; no path, no connectors."""
    if path is None:
        return Configuration()
    reader = SourceReader(folder=path.parent, environ=environ)
    content = reader.content(path, limit=CONFIG_BYTES)
    try:
        entries = _entries(content, suffix=path.suffix)
    except ConfigurationProblem as found:
        return Configuration(problems=(_problem(path, None, found),), sources=reader.sources)
    settings: dict[str, ConnectorSettings] = {}
    problems: list[Problem] = []
    for name, entry in entries.items():
        try:
            settings[name] = _connector(name, entry, reader=reader, digest_key=digest_key)
        except ConfigurationProblem as found:
            problems.append(_problem(path, name, found))
    return Configuration(settings=MappingProxyType(settings), problems=tuple(problems), sources=reader.sources)


def is_name(text: str) -> bool:
    """Whether a connector may be called so. Digests and ledger lines hold names as they are, so few characters do."""
    return _NAME.fullmatch(text) is not None


def _entries(content: bytes | None, *, suffix: str) -> dict[str, Any]:
    if content is None:
        raise ConfigurationProblem("file", "cannot be read, or is over 1 MiB")
    try:
        document = parse(content, suffix=suffix)
    except UnreadableDocument as found:
        raise ConfigurationProblem("file", str(found)) from None
    entries = document.pop("connectors", None)
    if document:
        raise ConfigurationProblem(
            str(next(iter(document))), "is not a key we know; everything belongs under connectors"
        )
    if not isinstance(entries, dict):
        raise ConfigurationProblem("connectors", "must be a table of connectors by name")
    return entries


def _connector(name: object, entry: object, *, reader: SourceReader, digest_key: bytes) -> ConnectorSettings:
    if not isinstance(name, str) or not is_name(name):
        raise ConfigurationProblem("name", "must be 1 to 63 of a-z, 0-9, - and _, the first a letter or a digit")
    if credential_rule(name):
        raise ConfigurationProblem("name", "looks like a credential, and names are shown")
    if not isinstance(entry, dict):
        raise ConfigurationProblem("connector", "must be a table of keys")
    settings, trust = settings_from(name, entry, reader=reader)
    return replace(settings, digest=_digest(settings, trust=trust, key=digest_key))


def _problem(path: Path, connector: object, found: ConfigurationProblem) -> Problem:
    name = None if connector is None else _name_shown(connector)
    return Problem(file=path.name, connector=name, key=_shown(found.key), problem=found.problem)


def _name_shown(name: object) -> str:
    """A connector's name, which may hold numbers, unless it is none or looks like a credential."""
    return name if isinstance(name, str) and is_name(name) and not credential_rule(name) else _shown(name)


def _shown(name: object) -> str:
    """A name fit for a message, whatever stands in its place: words are told, anything else is not."""
    text = "".join(character if character.isprintable() else "?" for character in str(name))
    if not _SPOKEN.fullmatch(text) or credential_rule(text):
        return _HIDDEN
    return _NO_WORD.sub(lambda found: found[0] if len(found[0]) <= _SHORT else _HIDDEN, text)


def _digest(settings: ConnectorSettings, *, trust: str | None, key: bytes) -> str:
    """HMAC-SHA256 over all that decides what is sent, to whom and with which secret.

    `trust`: the digests of its certificate files.
    """
    egress = settings.egress
    covered = {
        "name": settings.name,
        "provider": settings.provider,
        "enabled": settings.enabled,
        "url": settings.url,
        "secrets": dict(settings.secrets),
        "options": dict(settings.options),
        "headers": settings.headers,
        "allow_networks": sorted(egress.allow_networks),
        "allow_ports": sorted(egress.allow_ports),
        "allow_plain_http": egress.allow_plain_http,
        "allow_plain_tcp": egress.allow_plain_tcp,
        "allow_bare_close": egress.allow_bare_close,
        "trust": trust,
    }
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(key, b"cavra.connector-settings.v1\0" + canonical, hashlib.sha256).hexdigest()
