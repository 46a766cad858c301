from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.history import spool as spool_module
from linecontrol.history.rows import EVENT, RUN, SAMPLE, Batch, Row
from linecontrol.history.spool import Spool, SpoolDamage

MIB = 2**20


def batch(number: int, rows: int = 3) -> Batch:
    samples: list[Row] = [("TT-1", number * 1000 + n, n / 7.0, None, 0) for n in range(rows)]
    return Batch("w", number, {SAMPLE: samples})


def opened(folder: Path, line: str = "demo") -> Spool:
    spool = Spool(folder, line, 64 * MIB)
    spool.open()
    return spool


def fill(spool: Spool, numbers: range) -> None:
    for number in numbers:
        spool.append(spool.pack(batch(number)))


def drain(spool: Spool, most_rows: int = 7) -> list[Batch]:
    out = []
    while waiting := spool.peek(most_rows):
        out += [one for one, _ in waiting]
        spool.advance(waiting)
    return out


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


def test_what_goes_in_comes_out_in_order_also_after_reopening(tmp_path: Path) -> None:
    first = opened(tmp_path)
    fill(first, range(1, 6))
    first.close()
    second = opened(tmp_path)
    assert len(second) == 15
    assert second.latest_us == 5002
    fill(second, range(6, 9))
    assert [one.number for one in drain(second)] == list(range(1, 9))
    assert len(second) == 0
    assert second.is_gone
    assert segments(tmp_path) == []
    second.close()


def test_rows_survive_the_file_exactly(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    rows: dict[str, list[Row]] = {
        SAMPLE: [("TT-1", 1, float("inf"), None, 0), ("TT-2", 2, 0.1, None, 3), ("ZT", 3, None, "相\ud800", 0)],
        EVENT: [(5, "k", "s", "alarm", 1, "text", '{"a":1}')],
    }
    spool.append(spool.pack(Batch("w", 9, rows)))
    (back,) = drain(spool)
    assert (back.writer, back.number, back.rows) == ("w", 9, rows)
    spool.close()


def test_a_line_never_sees_the_spool_of_another(tmp_path: Path) -> None:
    one, other = opened(tmp_path, "line/1"), opened(tmp_path, "line:1")
    fill(one, range(1, 3))
    other.close()
    other = opened(tmp_path, "line:1")
    assert (len(one), len(other)) == (6, 0)
    one.close()
    other.close()


@settings(deadline=None)
@given(cut=st.integers(1, 400))
def test_a_torn_tail_is_cut_and_every_whole_frame_kept(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = opened(folder)
    fill(spool, range(1, 6))
    lengths = [length for _, length in spool.peek(1000)]
    spool.close()
    (path,) = segments(folder)
    whole = path.stat().st_size
    kept_bytes = max(0, whole - cut)
    os.truncate(path, kept_bytes)
    again = opened(folder)
    expected = [n for n in range(1, 6) if sum(lengths[:n]) <= kept_bytes]
    assert [one.number for one in drain(again)] == expected
    assert again.damaged == []
    again.close()


@settings(deadline=None)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_flipped_byte_costs_one_frame_and_nothing_is_deleted(
    tmp_path_factory: pytest.TempPathFactory, at: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = opened(folder)
    fill(spool, range(1, 6))
    spool.close()
    (path,) = segments(folder)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= flip
    path.write_bytes(data)
    again = opened(folder)
    numbers = [one.number for one in drain(again)]
    assert len(numbers) == 4
    assert numbers == sorted(numbers)
    if 5 in numbers:  # else the last frame was hit, which looks like a torn tail
        assert [aside.read_bytes() for aside in again.damaged] == [bytes(data)]
    again.close()


def test_damage_found_while_replaying_is_set_aside_and_counted(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    fill(spool, range(1, 4))
    (path,) = segments(tmp_path)
    first = spool.peek(1)
    data = bytearray(path.read_bytes())
    data[first[0][1] + 40] ^= 1
    path.write_bytes(data)
    spool.advance(first)
    with pytest.raises(SpoolDamage):
        spool.peek(1)
    assert spool.set_damage_aside() == 3
    assert [one.number for one in drain(spool)] == [3]
    assert spool.rows == 0
    spool.close()


def test_a_failed_append_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(tmp_path)
    fill(spool, range(1, 3))

    def no_space(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(OSError, match="No space"):
            spool.append(spool.pack(batch(3)))
    fill(spool, range(4, 5))
    spool.close()
    assert [one.number for one in drain(opened(tmp_path))] == [1, 2, 4]


def test_segments_are_given_back_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "_SEGMENT_BYTES", 200)
    spool = opened(tmp_path)
    fill(spool, range(1, 20))
    before = spool.size
    assert len(segments(tmp_path)) > 3
    spool.advance(spool.peek(1))
    spool.advance(spool.peek(1000))
    assert spool.size < before
    spool.close()
    again = opened(tmp_path)
    numbers = [one.number for one in drain(again)]
    assert numbers == list(range(numbers[0], 20))
    again.close()


def test_batches_with_runs_are_handed_out_at_opening(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    fill(spool, range(1, 3))
    run: Row = ("R1", "std", "hash", "Held", 1, None, "{}", "{}", 2)
    spool.append(spool.pack(Batch("w", 3, {RUN: [run]})))
    spool.close()
    again = Spool(tmp_path, "demo", MIB)
    assert [one.rows for one in again.open()] == [{RUN: [run]}]
    again.close()
