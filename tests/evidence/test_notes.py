"""Checkpoints and keys in the form of C2SP's tlog-checkpoint and signed-note, and what is refused."""

import base64
import hashlib
import re
from collections.abc import Callable

import pytest

from rollback_audit.evidence import notes
from rollback_audit.evidence.notes import Checkpoint, NotANote, PublicKey, SigningKey

# The keys and the signed text that golang.org/x/mod/sumdb/note, where the form comes from, is tested with.
PUBLISHED_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLISHED_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PUBLISHED_SIGNATURE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
OTHER_PUBLISHED_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
# The Go module database's, in use since 2019.
GO_SUM_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

ORIGIN = "cavra-rollback-audit/1f2e3d4c5b6a7988"
KEY = SigningKey(ORIGIN, bytes(range(32)))
ROOT = hashlib.sha256(b"root").digest()
CHECKPOINT = Checkpoint(ORIGIN, 1234, ROOT)
NOTE = notes.sign(CHECKPOINT, [KEY])


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.mark.parametrize("vkey", [PUBLISHED_VKEY, OTHER_PUBLISHED_VKEY, GO_SUM_VKEY])
def test_published_keys_are_read_and_written_again(vkey: str) -> None:
    key = PublicKey.read(vkey)
    assert str(key) == vkey
    assert [key.name, key.key_id.hex()] == vkey.split("+", 2)[:2]


def test_the_published_private_key_gives_the_published_key_and_signature() -> None:
    key = SigningKey.read(PUBLISHED_SKEY)
    assert str(key.public) == PUBLISHED_VKEY
    assert key.file_text() == f"{PUBLISHED_SKEY}\n"
    assert key.signature_line(PUBLISHED_TEXT) == PUBLISHED_SIGNATURE


@pytest.mark.parametrize(("read", "text"), [(PublicKey.read, PUBLISHED_VKEY), (SigningKey.read, PUBLISHED_SKEY)])
def test_no_part_of_a_key_and_no_key_with_another_letter_is_a_key(read: Callable[[str], object], text: str) -> None:
    parts = [text[first:end] for first in range(len(text)) for end in range(first + 1, len(text) + 1)]
    others = [text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))]
    for wrong in [*parts, *others]:
        if wrong != text:
            with pytest.raises(NotANote):
                read(wrong)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq_LDE4izWy10TW",
        # Of the wrong length, and of an unknown algorithm, with the ids that would belong to them.
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(vkey: str) -> None:
    with pytest.raises(NotANote) as refusal:
        PublicKey.read(vkey)
    assert not vkey or vkey not in str(refusal.value)


def test_a_drawn_key_comes_back_from_its_file_and_does_not_show_itself() -> None:
    key = SigningKey.draw(ORIGIN)
    assert SigningKey.read(key.file_text()) == key
    assert PublicKey.read(str(key.public)) == key.public
    assert encoded(key.seed) not in repr(key)
    assert repr(key.seed) not in repr(key)
    assert SigningKey.draw(ORIGIN).seed != key.seed


@pytest.mark.parametrize("name", ["", "a name", "a+name", "a\nname", "näme", "n" * 201])
def test_a_name_that_would_not_fit_into_a_note_gets_no_key(name: str) -> None:
    with pytest.raises(NotANote):
        SigningKey.draw(name)


def test_a_note_is_the_checkpoint_an_empty_line_and_the_signature() -> None:
    form = rf"{re.escape(ORIGIN)}\n1234\n[A-Za-z0-9+/]{{43}}=\n\n\u2014 {re.escape(ORIGIN)} [A-Za-z0-9+/]{{91}}=\n"
    assert re.fullmatch(form, NOTE)
    assert NOTE.split("\n")[2] == encoded(ROOT)
    note = notes.read(NOTE)
    assert note.checkpoint == CHECKPOINT
    [(key_id, signature)] = note.signatures
    assert key_id == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + KEY.public.key).digest()[:4]
    assert len(signature) == 64
    assert note.is_signed_by(KEY.public)


@pytest.mark.parametrize("size", [0, 1, 2**31, 2**63 - 1])
def test_sizes_come_back(size: int) -> None:
    assert notes.read(notes.sign(Checkpoint(ORIGIN, size, ROOT), [KEY])).checkpoint.size == size


def test_a_rotation_is_signed_by_both_keys_the_old_one_first() -> None:
    new = SigningKey.draw(ORIGIN)
    note = notes.read(notes.sign(CHECKPOINT, [KEY, new]))
    assert [key_id for key_id, _ in note.signatures] == [KEY.public.key_id, new.public.key_id]
    assert note.is_signed_by(KEY.public)
    assert note.is_signed_by(new.public)


def test_another_key_has_not_signed() -> None:
    note = notes.read(NOTE)
    assert not note.is_signed_by(SigningKey.draw(ORIGIN).public)
    assert not note.is_signed_by(SigningKey("cavra-rollback-audit/another", KEY.seed).public)
    # Under this key's id, but not by it.
    other = SigningKey.draw(ORIGIN)
    text = CHECKPOINT.text()
    forged = base64.b64decode(other.signature_line(text).split(" ")[2])[4:]
    line = f"\u2014 {ORIGIN} {encoded(KEY.public.key_id + forged)}\n"
    assert not notes.read(f"{text}\n{line}").is_signed_by(KEY.public)


@pytest.mark.parametrize("length", [1, 63, 65, 200])
def test_a_signature_of_another_length_does_not_fit(length: int) -> None:
    line = f"\u2014 {ORIGIN} {encoded(KEY.public.key_id + bytes(length))}\n"
    assert not notes.read(f"{CHECKPOINT.text()}\n{line}").is_signed_by(KEY.public)


def test_a_note_with_any_other_letter_is_refused_or_not_signed() -> None:
    for at, letter in enumerate(NOTE):
        for other in {chr(ord(letter) ^ 1), chr(ord(letter) ^ 4), "0", "A", "/", " ", "\n", "="} - {letter}:
            changed = NOTE[:at] + other + NOTE[at + 1 :]
            try:
                is_signed = notes.read(changed).is_signed_by(KEY.public)
            except NotANote:
                continue
            assert not is_signed, repr(changed)


def test_a_note_that_lacks_or_repeats_a_letter_is_refused_or_not_signed() -> None:
    for at in range(len(NOTE)):
        for changed in (NOTE[:at] + NOTE[at + 1 :], NOTE[:at] + NOTE[at] + NOTE[at:]):
            try:
                is_signed = notes.read(changed).is_signed_by(KEY.public)
            except NotANote:
                continue
            # One of two equal letters side by side is the other.
            assert not is_signed or changed == NOTE, repr(changed)


TEXT, SIGNATURE = CHECKPOINT.text(), KEY.signature_line(CHECKPOINT.text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}\n{SIGNATURE.rstrip()}",
        f"{TEXT}{SIGNATURE}",
        f"{TEXT}\n\n{SIGNATURE}",
        f"{TEXT}\n{SIGNATURE}\n",
        f"{TEXT}\n{SIGNATURE}{TEXT}",
        f"{TEXT}\n{SIGNATURE}Unexpected line.\n",
        f"{TEXT}an extension\n\n{SIGNATURE}",
        f"\n{TEXT}\n{SIGNATURE}",
        f"\x01{TEXT}\n{SIGNATURE}",
        f"{TEXT}\n{SIGNATURE}".replace("\n", "\r\n"),
        f"{TEXT}\n{SIGNATURE}".replace("\u2014", "-"),
        f"{TEXT}\n{SIGNATURE}".replace("\u2014 ", "\u2014"),
        f"{TEXT}\n{SIGNATURE}".replace("1234", "01234"),
        f"{TEXT}\n{SIGNATURE}".replace("1234", "+1234"),
        f"{TEXT}\n{SIGNATURE}".replace("1234", "-1"),
        f"{TEXT}\n{SIGNATURE}".replace("1234", ""),
        f"{TEXT}\n{SIGNATURE}".replace("1234", "0x12"),
        f"{TEXT}\n{SIGNATURE}".replace("1234", "1_234"),
        f"{TEXT}\n{SIGNATURE}".replace("1234", "\u0661\u0662"),
        f"{TEXT}\n{SIGNATURE}".replace("1234", "9" * 20),
        f"{TEXT}\n{SIGNATURE}".replace(encoded(ROOT), encoded(ROOT[:-1])),
        f"{TEXT}\n{SIGNATURE}".replace(encoded(ROOT), encoded(ROOT + b"\0")),
        f"{TEXT}\n{SIGNATURE}".replace(encoded(ROOT), ROOT.hex()),
        f"{TEXT}\n{SIGNATURE}".replace(encoded(ROOT), encoded(ROOT).rstrip("=")),
        f"{TEXT}\n\u2014 {ORIGIN} {encoded(KEY.public.key_id)}\n",
        f"{TEXT}\n\u2014 {ORIGIN}\n",
        f"{TEXT}\n\u2014 another {SIGNATURE.split(' ')[2]}",
        f"{TEXT}\n{SIGNATURE}".replace(ORIGIN, "a name"),
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(NotANote):
        notes.read(text)


def test_no_two_texts_say_the_same_root() -> None:
    """The last letter before the padding holds two bits that no byte has: other letters decode to the same bytes."""
    spelled = encoded(ROOT)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    beside = alphabet[alphabet.index(spelled[-2]) ^ 1]
    with pytest.raises(NotANote):
        notes.read(NOTE.replace(spelled, f"{spelled[:-2]}{beside}="))


def test_a_file_holds_notes_as_they_were_signed() -> None:
    kept = [notes.sign(Checkpoint(ORIGIN, size, ROOT), [KEY] * count) for size, count in ((1, 1), (5, 2), (9, 1))]
    text = notes.file_text(kept)
    assert text.endswith("\n\n")
    assert list(notes.split(text)) == kept
    assert list(notes.split(text.rstrip("\n"))) == kept
    assert list(notes.split("")) == list(notes.split("\n\n")) == []


@pytest.mark.parametrize("text", ["hello", f"{NOTE}\nhello", f"{NOTE}\n{TEXT}"])
def test_a_file_does_not_hide_what_is_no_note(text: str) -> None:
    with pytest.raises(NotANote):
        list(map(notes.read, notes.split(text)))
