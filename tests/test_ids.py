"""Ids rise, never repeat, and look like ids."""

import re
from concurrent.futures import ThreadPoolExecutor

from rollback_audit import ids


def test_an_id_is_its_prefix_and_sixteen_hexadecimal_digits() -> None:
    assert re.fullmatch(r"gordackretry-[0-9a-f]{16}", ids.new_id("gordackretry"))


def test_ids_rise() -> None:
    made = [ids.new_id("x") for _ in range(10_000)]
    assert made == sorted(set(made))


def test_threads_never_share_one() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [
            item for batch in pool.map(lambda _: [ids.new_id("x") for _ in range(500)], range(40)) for item in batch
        ]
    assert len(set(made)) == len(made)


def test_another_process_starts_elsewhere_in_the_same_millisecond() -> None:
    starts = {ids._Counter().next() & 0x1FFFFF for _ in range(50)}
    assert len(starts) > 40
