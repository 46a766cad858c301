"""Tail, chunks and roll-ups: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from linecontrol.core.image import Scan
from linecontrol.core.model import Sample, Status, Tag
from linecontrol.history import Historian, HistoryReader, open_reader
from linecontrol.history.reader import as_samples
from linecontrol.history.rows import SAMPLE, Batch, Row, SampleRow, micros
from linecontrol.history.sql import engine_for, parse_url
from linecontrol.history.store import Store
from linecontrol.history.verify import verify

T0 = 1_750_000_000.0
SCANS = 400

MakeScan = Callable[[int], Scan]
Record = Callable[..., Any]


def offered(n: int) -> Scan:
    """A counter, a step value with outages, a switch, a text, and a tag that its device stamps itself."""
    now = T0 + n
    draw = random.Random(n)
    is_out = 100 <= n < 130
    bad = Sample(None, Status.BAD_SENSOR_FAILURE, now)
    return Scan(
        "drying",
        now,
        {
            "SEQ": Sample(float(n), Status.GOOD, now),
            "TT-1": bad if is_out else Sample(draw.randrange(2000, 2100) / 100, Status.GOOD, now),
            "TT-2": Sample(draw.random(), Status.GOOD, now - draw.random() / 2),
            "XS-1": Sample(n % 10 < 5, Status.GOOD, now),
            "ZT-1": Sample("相 A" if n % 20 < 10 else "", Status.GOOD, now),
        },
    )


async def record(url: str, folder: Path, tags: Sequence[Tag], scans: range, line: str = "demo") -> Historian:
    """Offered in several commits, some of them sealed."""
    history = Historian(url, folder / "spool", line, tags, flush_s=0.02)
    await history.start()
    for n in scans:
        history.offer(offered(n))
        if n % 40 == 39:
            await history.flush()
    await history.stop()
    assert history.counters.adds_up
    assert history.counters.stored == history.counters.accepted
    return history


def count(url: str, table: str) -> int:
    engine = engine_for(parse_url(url))
    with engine.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()  # noqa: S608
    engine.dispose()
    return int(found)


def held(name: str, at: float) -> Sample:
    """What a step-hold reader must see at ``at``."""
    return offered(int(at - T0)).samples[name]


@pytest.mark.usefixtures("short_blocks")
async def test_chunks_and_tail_together_give_back_what_was_offered(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    await record(url, tmp_path, tags, range(SCANS))
    assert count(url, "block") >= 3
    assert count(url, "tail") >= 1
    with open_reader(url) as reader:
        assert verify(reader).findings == []
        for name in ("SEQ", "TT-1", "XS-1", "ZT-1"):
            rows = reader.samples([name], T0, T0 + SCANS)[name]
            at = 0
            for n in range(SCANS):
                while at + 1 < len(rows) and rows[at + 1].time <= T0 + n:
                    at += 1
                wanted = offered(n).samples[name]
                assert (rows[at].value, rows[at].status) == (wanted.value, wanted.status)
        own = reader.samples(["TT-2"], T0 - 1, T0 + SCANS)["TT-2"]
        assert [(s.value, micros(s.time)) for s in own if s.is_good] == [
            (s.value, micros(s.time)) for s in (offered(n).samples["TT-2"] for n in range(SCANS))
        ]


@pytest.mark.usefixtures("short_blocks")
async def test_any_stretch_of_time_is_the_same_part_of_the_whole(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    await record(url, tmp_path, tags, range(SCANS))
    names = [tag.name for tag in tags]
    draw = random.Random(5)
    with open_reader(url) as reader:
        whole = {name: reader.samples([name], T0 - 10)[name] for name in names}
        many = reader.series(names * 2, T0 - 10)
        assert {name: len(rows) for name, rows in many.items()} == {name: len(rows) for name, rows in whole.items()}
        for n in range(16):
            start = T0 + draw.randrange(-5, SCANS * 2) / 2
            end = (
                start + draw.randrange(1, SCANS if n % 2 else 60) / 2
            )  # short ones are answered by blocks held decoded
            limit = draw.choice([3, 10_000])
            for hold in (True, False):
                reader.series(names * 2, start, end, hold=hold)  # what is asked again is held decoded
            many = {hold: reader.series(names * 2, start, end, hold=hold) for hold in (True, False)}
            plain = {hold: reader.series(["SEQ", "TT-2", "XS-1"] * 3, start, end, hold=hold) for hold in (True, False)}
            for hold, found in plain.items():  # without texts and outages: many blocks in one piece
                for name, rows in found.items():
                    assert as_samples(rows, is_bool=False) == as_samples(many[hold][name], is_bool=False)
            for name in names:
                for hold in (True, False, False):  # the chunks of a single tag are held from the second look on
                    alone = reader.series([name], start, end, hold=hold)[name]
                    assert as_samples(alone, is_bool=False) == as_samples(many[hold][name], is_bool=False)
                before = [s for s in whole[name] if s.time < start][-1:]
                inside = [s for s in whole[name] if start <= s.time < end][:limit]
                if inside and inside[0].time == start:
                    before = []
                assert reader.samples([name], start, end, limit)[name] == [*before, *inside]
                assert reader.samples([name], start, end, limit, hold=False)[name] == inside
                assert as_samples(many[False][name], is_bool=name == "XS-1")[:limit] == inside
                assert as_samples(many[True][name], is_bool=name == "XS-1")[: len(before) + limit] == [*before, *inside]


def test_what_holds_is_found_however_long_ago_it_was_stored(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    """Of fresh samples: of tags that change, fell silent before a block or after it, and of one that came late."""
    store = Store(url, "demo", tags, tmp_path / "quarantine")
    store.open()
    rows = {"SEQ": [*range(0, 3600, 60)], "TT-1": [0, 30], "TT-2": [0, 700], "XS-1": [20, 2000]}
    stored = sorted((second, name) for name, seconds in rows.items() for second in seconds)
    stored = [*stored[:-3], *stored[-2:], stored[-3]]
    for number, (second, name) in enumerate(stored, start=1):
        row = SampleRow(name, micros(T0 + second), float(second), None, 0)
        store.write([Batch("w", number, {SAMPLE: [row]})])
        if second == 600:
            store.seal()
    store.close()
    with open_reader(url) as reader:
        for start in (-5, 0, 29, 31, 650, 700, 1000, 1999, 2000, 3599):
            for end in (start + 10, 4000):
                many = reader.series([*rows] * 2, T0 + start, T0 + end, hold=True)
                for name, seconds in rows.items():
                    wanted = [*[s for s in seconds if s <= start][-1:], *[s for s in seconds if start < s < end]]
                    assert many[name].values.tolist() == wanted
                    one = reader.series([name], T0 + start, T0 + end, hold=True)[name]
                    assert one.values.tolist() == wanted


@pytest.mark.usefixtures("short_blocks")
async def test_rollups_say_what_the_rows_say(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    await record(url, tmp_path, tags, range(SCANS))
    draw = random.Random(6)
    with open_reader(url) as reader:
        for _ in range(10):
            start = float(draw.randrange(0, SCANS - 10))
            end = float(draw.randrange(int(start) + 1, SCANS))
            found = reader.statistics(["TT-1", "SEQ", "ZT-1"], T0 + start, T0 + end)
            seen = [held("TT-1", T0 + n).number for n in range(int(start), int(end))]
            good = [value for value in seen if value == value]
            assert found["TT-1"].mean == (pytest.approx(np.mean(good)) if good else None)
            assert found["TT-1"].weight_us == len(good) * 1_000_000
            assert found["SEQ"].mean == pytest.approx((start + end - 1) / 2)
            assert (found["SEQ"].low, found["SEQ"].high) == (start, end - 1)
            assert found["SEQ"].rows == found["SEQ"].numbers == end - start
            assert found["ZT-1"].numbers == 0
            assert found["ZT-1"].mean is None


@pytest.mark.usefixtures("short_blocks")
async def test_a_trend_keeps_peaks_and_outages(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    await record(url, tmp_path, tags, range(SCANS))
    with open_reader(url) as reader:
        trend = reader.trend(["TT-1"], T0, T0 + SCANS, 60)["TT-1"]
        whole = reader.series(["TT-1"], T0, T0 + SCANS)["TT-1"]
    assert len(trend.times) <= 60 + 10 < trend.rows == len(whole)
    assert np.nanmax(trend.values) == np.nanmax(whole.values)
    assert np.nanmin(trend.values) == np.nanmin(whole.values)
    gaps = trend.times[np.isnan(trend.values)]
    assert T0 + 99 < gaps[0] / 1e6 <= T0 + 101
    after = trend.times[(trend.times > gaps[-1])][0]
    assert after / 1e6 == pytest.approx(T0 + 130)


@pytest.mark.usefixtures("short_blocks")
async def test_recording_again_brackets_the_gap_also_behind_chunks(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    await record(url, tmp_path, tags, range(100))
    second = await record(url, tmp_path, tags, range(200, 300))
    assert second.counters.duplicates == 0
    with open_reader(url) as reader:
        rows = reader.samples(["SEQ"], T0)["SEQ"]
        gap = reader.statistics(["SEQ"], T0 + 99, T0 + 200)["SEQ"]
    assert [s.value for s in rows if s.is_good] == [float(n) for n in (*range(100), *range(200, 300))]
    assert [round(s.time - T0, 3) for s in rows if not s.is_good] == [99.0]
    assert gap.weight_us == 1  # known for a microsecond, then nothing


@pytest.mark.usefixtures("short_blocks")
async def test_lines_of_a_site_share_a_database_and_nothing_else(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    await record(url, tmp_path, tags, range(100), "north")
    await record(url, tmp_path, tags, range(100, 200), "south")
    for line, wanted in (("north", range(100)), ("south", range(100, 200))):
        with open_reader(url, line) as reader:
            rows = reader.series(["SEQ"], 0.0)["SEQ"]
            many = reader.series([tag.name for tag in tags] * 2, 0.0)
        assert rows.values[rows.is_number].tolist() == [float(n) for n in wanted]
        assert many["SEQ"].values[many["SEQ"].is_number].tolist() == [float(n) for n in wanted]


async def test_a_reader_that_stays_sees_what_comes_later_and_cannot_write(
    url: str, tmp_path: Path, tags: list[Tag]
) -> None:
    await record(url, tmp_path, tags, range(10))
    with HistoryReader(url, "demo") as reader:
        assert len(reader.series(["SEQ"], T0)["SEQ"]) == 10
        await record(url, tmp_path, tags, range(20, 30))
        assert len(reader.series(["SEQ"], T0)["SEQ"]) == 21
        with reader._connected() as connection, pytest.raises(sa.exc.SQLAlchemyError, match=r"read-?only"):
            connection.exec_driver_sql("DELETE FROM tail")


@pytest.mark.usefixtures("short_blocks")
async def test_rows_that_come_late_go_where_they_belong(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    """Two recordings whose times interleave, as when a spool is put back by hand."""
    seq = [tags[0]]

    def some(numbers: range) -> None:
        store = Store(url, "demo", seq, tmp_path / "q")
        store.open()
        writer = f"w{numbers}"
        for at, n in enumerate(numbers, start=1):
            rows: list[Row] = [SampleRow("SEQ", micros(T0 + n), float(n), None, 0)]
            store.write([Batch(writer, at, {SAMPLE: rows})])
            if n % 7 == 3 or n == numbers[-1]:
                store.seal()
        store.close()

    await asyncio.to_thread(some, range(10, 60, 2))
    with open_reader(url) as reader:
        for late in (range(1, 70, 2), range(2, 10, 2)):
            before = reader.statistics(["SEQ"], T0, T0 + 70)["SEQ"]  # roll-ups that are read are held
            for _ in range(3):
                assert len(reader.series(["SEQ"], T0)["SEQ"]) == before.rows  # and so are chunks that are read again
            await asyncio.to_thread(some, late)
            assert reader.statistics(["SEQ"], T0, T0 + 70)["SEQ"].rows == before.rows + len(late)
            assert len(reader.series(["SEQ"], T0)["SEQ"]) == before.rows + len(late)
    wanted = sorted({*range(10, 60, 2), *range(1, 70, 2), *range(2, 10, 2)})
    with open_reader(url) as reader:
        found = reader.series(["SEQ"], T0)["SEQ"]
        assert found.values.tolist() == [float(n) for n in wanted]
        for start in range(0, 70, 9):
            part = reader.samples(["SEQ"], T0 + start, T0 + start + 12)["SEQ"]
            held = [n for n in wanted if n < start][-1:] if start not in wanted else []
            assert [s.value for s in part] == [
                float(n) for n in [*held, *(n for n in wanted if start <= n < start + 12)]
            ]
            both = reader.series(["SEQ"] * 9, T0 + start, T0 + start + 12, hold=True)["SEQ"]
            assert both.values.tolist() == [s.value for s in part]
            mean = reader.statistics(["SEQ"], T0 + start, T0 + start + 12)["SEQ"]
            assert mean.rows == sum(start <= n < start + 12 for n in wanted)
