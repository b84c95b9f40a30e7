"""The encodings in which a canary is put in, and looked for.

Everything is looked for in lower case: a host is written so, and no random part of a canary is lost by it.
"""

import base64
import binascii
import html
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, unquote_to_bytes

Encode = Callable[[bytes], bytes]


def _base64_at(offset: int, encode: Encode = base64.b64encode) -> Encode:
    """The text in the middle of something longer that begins `offset` bytes before it."""
    return lambda text: encode(b"~" * offset + text + b"~~~")


def _each(form: str) -> Encode:
    return lambda text: "".join(form.format(ord(sign)) for sign in text.decode()).encode()


def _utf_16(order: str) -> Encode:
    return lambda text: text.decode().encode(f"utf-16-{order}")


ENCODINGS: dict[str, Encode] = {
    "raw": lambda text: text,
    "percent": lambda text: quote(text, safe="").encode(),
    "percent, every sign": _each("%{:02X}"),
    "base64": _base64_at(0),
    "base64, one byte on": _base64_at(1),
    "base64, two bytes on": _base64_at(2),
    "base64 of a URL": _base64_at(0, base64.urlsafe_b64encode),
    "hex": lambda text: text.hex().encode(),
    "json": lambda text: json.dumps(text.decode()).encode(),
    "json, every sign": _each("\\u{:04x}"),
    "html": lambda text: html.escape(text.decode()).encode(),
    "html, every sign": _each("&#x{:x};"),
    "utf-16, little end first": _utf_16("le"),
    "utf-16, big end first": _utf_16("be"),
}

# Six bits a letter: the first of a text that begins inside a group depend on what stands before it, the last on what
# comes after.
_NOT_ITS_OWN = (0, 2, 3)


def needles(part: str) -> dict[str, bytes]:
    """By the name of its encoding, every form in which this piece of a canary can stand in something longer."""
    text = part.encode()
    found = {name: encode(text) for name, encode in ENCODINGS.items() if not name.startswith("base64")}
    found["json"] = found["json"][1:-1]
    found["html in decimal"] = _each("&#{};")(text)
    for offset in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64 of a URL", base64.urlsafe_b64encode)):
            core = encode(b"~" * offset + text)
            whole = core.rstrip(b"=")[:-1] if core.endswith(b"=") else core
            found[f"{name} at {offset}"] = whole[_NOT_ITS_OWN[offset] :]
    return {name: needle.lower() for name, needle in found.items()}


_ESCAPED = re.compile(rb"\\u([0-9a-fA-F]{4})")
_PACKED = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")


def layers(content: bytes, *, deep: bool = True) -> Iterator[bytes]:
    """The content, and what it holds once something in it is decoded: escapes, entities, base64, zlib."""
    yield content
    if b"%" in content:
        yield unquote_to_bytes(content)
    if b"&" in content:
        yield html.unescape(content.decode("utf-8", "replace")).encode("utf-8", "replace")
    if b"\\u" in content:
        yield _ESCAPED.sub(_unescaped, content)
    if b"\0" in content:
        yield content.replace(b"\0", b"")
    if deep:
        for token in _PACKED.findall(content):
            yield from _unpacked(token)


def _unescaped(match: re.Match[bytes]) -> bytes:
    return chr(int(match[1], 16)).encode("utf-8", "replace")


def _unpacked(token: bytes) -> Iterator[bytes]:
    """What a token stands for: a session or a task is signed base64, often of something compressed."""
    plain = token.rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")
    try:
        content = base64.urlsafe_b64decode(plain + b"=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return
    yield content
    try:
        yield zlib.decompress(content)
    except zlib.error:
        return


_GRAM = 8


class Search:
    """Looks for many needles at once: by their first bytes, and only then by each that begins so."""

    def __init__(self, wanted: Iterable[tuple[str, bytes]]) -> None:
        self._by_gram: dict[bytes, list[tuple[str, bytes]]] = {}
        for name, needle in wanted:
            assert len(needle) >= _GRAM, name
            self._by_gram.setdefault(needle[:_GRAM], []).append((name, needle))

    def names_in(self, content: bytes) -> set[str]:
        """The names of the needles that the content holds, encoded or packed as it may be."""
        found: set[str] = set()
        for layer in layers(content):
            lower = layer.lower()
            grams = self._by_gram.keys() & {lower[at : at + _GRAM] for at in range(len(lower) - _GRAM + 1)}
            found |= {name for gram in grams for name, needle in self._by_gram[gram] if needle in lower}
        return found
