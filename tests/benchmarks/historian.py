"""The historian beside other ways to keep samples: size, durable commits, ingest, three queries. Goals H1 to H6, D1.

    python tests/benchmarks/historian.py [--rounds 5] [--twin-runs 7] [--no-postgresql]

120 signals x 1 Hz x 8 h, drawn and recorded from the twin. Ours is the product: the filter, the store with its tail
and chunks, the reader, in one thread as the writer has it. Query 1: one signal over all of it, to 1,000 points. Query
2: all signals in ten minutes. Query 3: mean, min and max of 20 signals over all of it, by decoding and by roll-ups.

Every ratio is of one round, in which both were timed one after the other; shown is the median, and the range. Queries
are in CPU time, with one thread for each, and every database open already (PostgreSQL: by the wall, its work is in
another process). Ours is sized by the pages in use, less those of a history without samples (its other tables). Commits
go to the disk of ``--folder``, by the wall; ingest, where waiting for the disk would hide all else, to memory
(``/dev/shm``), in CPU time, with one commit a scan for ours and one for sixty scans for the rows.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import historian_peers as peers
import numpy as np
from historian_data import T0_S, Matrix, delta_entropy, drawn, from_the_twin

from linecontrol.core.image import Scan
from linecontrol.core.model import DataType, Sample, Status, Tag, Text
from linecontrol.history import HistoryReader
from linecontrol.history.chunks import insert_block
from linecontrol.history.numbers import _as_steps, pack_ints, unpack_ints
from linecontrol.history.onchange import OnChange
from linecontrol.history.rows import SAMPLE, Batch, Row, micros
from linecontrol.history.seal import Block, seal
from linecontrol.history.series import Series, rollup
from linecontrol.history.store import Store
from linecontrol.history.trend import downsampled

FAILED: list[str] = []


def tags(signals: int) -> list[Tag]:
    return [Tag(f"T{n}", "s", Text("", ""), "", DataType.FLOAT64, str(n), alias=f"s.t{n}") for n in range(signals)]


def scans(data: Matrix) -> Iterator[Scan]:
    names = [f"T{n}" for n in range(len(data))]
    for second, column in enumerate(data.T.tolist()):
        now = float(T0_S + second)
        yield Scan("s", now, {name: Sample(value, Status.GOOD, now) for name, value in zip(names, column, strict=True)})


def window_of(data: Matrix) -> tuple[int, int]:
    """Ten minutes in the middle [s from the start]."""
    return data.shape[1] // 2, data.shape[1] // 2 + 600


class Recorder:
    """What the historian does with a scan, in one thread."""

    def __init__(self, url: str, folder: Path, signals: int) -> None:
        self.store = Store(url, "line", tags(signals), folder / "quarantine")
        self.store.open()
        self._filter = OnChange(60.0)
        self._number = 0

    def rows_of(self, scan: Scan) -> Sequence[Row]:
        return self._filter.admit_scan(scan, micros(scan.time))

    def write(self, rows: Sequence[Row]) -> None:
        self._number += 1
        self.store.write([Batch("w", self._number, {SAMPLE: rows})])
        if self.store.is_seal_due:
            self.store.seal()


def record(url: str, folder: Path, data: Matrix) -> None:
    """All of it, sealed."""
    recorder = Recorder(url, folder, len(data))
    waiting: list[Row] = []
    for n, scan in enumerate(scans(data)):
        waiting += recorder.rows_of(scan)
        if n % 30 == 29:
            recorder.write(waiting)
            waiting = []
    if waiting:
        recorder.write(waiting)
    recorder.store.seal()
    recorder.store.close()


def used_bytes(path: Path) -> int:
    base = sqlite3.connect(path)
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    pages, free, size = (
        base.execute(f"PRAGMA {n}").fetchone()[0] for n in ("page_count", "freelist_count", "page_size")
    )
    base.close()
    return int((pages - free) * size)


class Ours:
    """The three queries through the product's reader."""

    def __init__(self, url: str, data: Matrix) -> None:
        self.reader = HistoryReader(url, "line")
        self.names = [f"T{n}" for n in range(len(data))]
        self.end = float(T0_S + data.shape[1])
        self.window = window_of(data)

    def query1(self) -> Any:
        return self.reader.trend([self.names[peers.ONE]], T0_S, self.end, peers.POINTS)[self.names[peers.ONE]].values

    def query1_anew(self) -> Any:
        """The same with no chunk decoded already."""
        self.reader._held.clear()
        return self.query1()

    def query2(self) -> Any:
        return self.reader.series(self.names, T0_S + self.window[0], T0_S + self.window[1], hold=True)

    def query2_anew(self) -> Any:
        """The same with no block decoded already. These ten minutes lie across two blocks, the dearest place."""
        self.reader._held.clear()
        return self.query2()

    def query2_within(self) -> Any:
        """Ten minutes of one block, decoded anew."""
        self.reader._held.clear()
        start = T0_S + self.window[0] - 2400
        return self.reader.series(self.names, start, start + 600, hold=True)

    def query3(self) -> Any:
        return self.reader.statistics(self.names[: peers.AGGREGATED], T0_S, self.end)

    def query3_anew(self) -> Any:
        """The same with no roll-up read before."""
        self.reader._held.clear()
        return self.query3()

    def query3_decoded(self) -> Any:
        found = self.reader.series(self.names[: peers.AGGREGATED], T0_S, self.end)
        until_us = micros(self.end)
        answer = (rollup(series, until_us) for series in found.values())
        return np.array([(one.mean, one.low, one.high) for one in answer])


def seconds_of(work: Callable[[], Any], least_s: float = 0.1, clock: Callable[[], float] = time.process_time) -> float:
    """Best of a few calls. CPU time: on a machine that others use as well, the wall's says how many they are."""
    best, spent = float("inf"), 0.0
    while spent < least_s:
        start = clock()
        work()
        took = clock() - start
        best, spent = min(best, took), spent + took
    return best


def ratios(rounds: int, other: Callable[[], float], ours: Callable[[], float]) -> list[float]:
    """How many times as long the other takes, round by round."""
    return [other() / ours() for _ in range(rounds)]


def judge(goal: str, what: str, found: list[float] | float, limit: float, *, most: bool = False) -> None:
    values = found if isinstance(found, list) else [found]
    middle = statistics.median(values)
    is_met = middle <= limit if most else middle >= limit
    spread = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
    sign = "<=" if most else ">="
    print(f"  {goal} {'PASS' if is_met else 'FAIL'}  {what}: {middle:.2f}{spread}, goal {sign} {limit:g}", flush=True)
    if not is_met:
        FAILED.append(goal)


def sizes_and_queries(data: Matrix, folder: Path, rounds: int, *, with_rows: bool) -> None:
    folder.mkdir()
    url = f"sqlite:///{folder / 'ours.db'}"
    record(url, folder, data)
    ours = Ours(url, data)
    check(ours, data)
    by_signal = peers.duckdb(folder, data, window_of(data), by_signal=True)
    by_time = peers.duckdb(folder, data, window_of(data), by_signal=False)
    others = [by_signal, by_time, peers.parquet(folder, data, window_of(data))]
    rows = peers.sqlite_rows(folder, data, window_of(data)) if with_rows else None
    others += [rows] if rows else []
    Store(f"sqlite:///{folder / 'empty.db'}", "line", tags(len(data)), folder / "quarantine").open()
    empty, entropy = used_bytes(folder / "empty.db"), delta_entropy(data)
    whole = used_bytes(folder / "ours.db")
    size = (whole - empty) / data.size
    print(
        f"  bytes a sample: ours {size:.3f} (with an empty history's {empty / 1024:.0f} KiB {whole / data.size:.3f})",
        end="",
    )
    print(f", delta entropy {entropy:.3f}", end="")
    print("".join(f", {peer.name} {peer.size / data.size:.2f}" for peer in others))
    judge("H1", "size over delta entropy", size / entropy, 1.3, most=True)
    computed_or_measured(folder / "ours.db", data)
    judge("H1", "size over the best of InfluxDB and Prometheus on drawn data (2.82)", size / 2.82, 0.35, most=True)
    for name in ("query1", "query2", "query3"):
        cells = [f"{peer.name} {1e3 * seconds_of(getattr(peer, name)):.2f}" for peer in others]
        mine = f"ours {1e3 * seconds_of(getattr(ours, name)):.2f}"
        if name == "query1":
            mine += f", ours decoded anew {1e3 * seconds_of(ours.query1_anew):.2f}"
        if name == "query2":
            mine += f", ours decoded anew {1e3 * seconds_of(ours.query2_anew):.2f}"
            mine += f" (within one block {1e3 * seconds_of(ours.query2_within):.2f})"
        if name == "query3":
            mine += f", ours read anew {1e3 * seconds_of(ours.query3_anew):.2f}"
            mine += f", ours decoded {1e3 * seconds_of(ours.query3_decoded):.2f}"
        print(f"  {name} [ms]: {mine}, {', '.join(cells)}", flush=True)

    def against(peer: peers.Peer, name: str, mine: Callable[[], Any]) -> list[float]:
        return ratios(rounds, lambda: seconds_of(getattr(peer, name)), lambda: seconds_of(mine))

    held, anew = (against(by_signal, "query1", mine) for mine in (ours.query1, ours.query1_anew))
    judge("H3", "query 1 in hours looked at before, DuckDB by signal over ours", held, 5.0)
    judge("H3", "query 1 decoded anew, DuckDB by signal over ours", anew, 5.0)
    if rows is not None:
        judge("H3", "query 1 decoded anew, SQLite rows over ours", against(rows, "query1", ours.query1_anew), 25.0)
    held, anew = (against(by_time, "query2", mine) for mine in (ours.query2, ours.query2_anew))
    judge("H4", "query 2 in an hour looked at before, DuckDB by time over ours", held, 1.0)
    judge("H4", "query 2 decoded anew, DuckDB by time over ours", anew, 1.0)
    judge("H5", "query 3 decoded, DuckDB by signal over ours", against(by_signal, "query3", ours.query3_decoded), 1.5)
    held, anew = (against(by_signal, "query3", mine) for mine in (ours.query3, ours.query3_anew))
    judge("H5", "query 3 by roll-ups read before, DuckDB by signal over ours", held, 20.0)
    judge("H5", "query 3 by roll-ups read anew, DuckDB by signal over ours", anew, 20.0)


def computed_or_measured(path: Path, data: Matrix) -> None:
    """Signals in steps of an instrument, and those somebody calculated.

    Every change of a calculated float may be one of its own. Order 0 then says log2 of how many changes there were,
    some 13 bits, whatever is in its mantissa of 52: no lossless coder reaches that.
    """
    base = sqlite3.connect(path)
    sizes = dict(
        base.execute("SELECT tag_id, sum(times_bytes + values_bytes + notes_bytes) FROM chunk GROUP BY tag_id")
    )
    base.close()
    is_measured = np.array([_as_steps(row) is not None for row in data])
    for word, mine in (("in steps", is_measured), ("calculated", ~is_measured)):
        if mine.any():
            size = sum(sizes[n + 1] for n in np.flatnonzero(mine).tolist()) / data[mine].size
            entropy = delta_entropy(data[mine])
            print(
                f"  {int(mine.sum())} signals {word}: columns of {size:.3f} bytes a sample, "
                f"{size / entropy:.2f} of their delta entropy {entropy:.3f}"
            )


def check(ours: Ours, data: Matrix) -> None:
    """Fast answers are worth nothing when they are wrong."""
    found = ours.query3()
    for n in range(peers.AGGREGATED):
        mine = found[f"T{n}"]
        assert np.isclose(mine.mean, data[n].mean())
        assert (mine.low, mine.high) == (data[n].min(), data[n].max())
    assert np.allclose(ours.query3_decoded()[:, 0], data[: peers.AGGREGATED].mean(axis=1))
    window = ours.query2()
    grid = micros(float(T0_S)) + np.arange(*ours.window) * 1_000_000
    for n, name in enumerate(ours.names):
        series = window[name]
        held = series.values[np.searchsorted(series.times, grid, side="right") - 1]
        assert (held == data[n, slice(*ours.window)]).all()
    whole = ours.reader.series([ours.names[0]], T0_S, ours.end)[ours.names[0]]
    assert set(whole.values.tolist()) == set(data[0].tolist())


def commits(data: Matrix, folder: Path, rounds: int) -> None:
    """H2: one durable commit for each scan, against the least a disk can do and against rows."""
    folder.mkdir()
    recorder = Recorder(f"sqlite:///{folder / 'ours.db'}", folder, len(data))
    base = sqlite3.connect(folder / "rows.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        base.execute(f"PRAGMA {pragma}")
    base.execute("CREATE TABLE s(ts INTEGER, sig INTEGER, val REAL, PRIMARY KEY(ts,sig)) WITHOUT ROWID")
    file = os.open(folder / "plain", os.O_CREAT | os.O_RDWR)
    page = os.urandom(4096)
    os.write(file, page * 256)
    os.fsync(file)
    count = 150
    offered = scans(data)
    place, step, columns = itertools.count(), itertools.count(), itertools.cycle(data.T[:3000].tolist())

    def overwrite(_: Any) -> None:
        os.pwrite(file, page, (next(place) % 256) * 4096)
        os.fdatasync(file)

    def rows(column: list[float]) -> None:
        second = next(step)
        base.execute("BEGIN")
        base.executemany("INSERT INTO s VALUES(?,?,?)", [(second, n, v) for n, v in enumerate(column)])
        base.execute("COMMIT")

    def ours(scan: Scan) -> None:
        recorder.write(recorder.rows_of(scan))

    works: tuple[tuple[Callable[[Any], None], Iterator[Any]], ...] = (
        (overwrite, itertools.repeat(None)),
        (rows, columns),
        (ours, offered),
    )

    def once() -> tuple[float, ...]:
        """The three by turns, commit by commit: what else the disk has to do falls on all of them."""
        spent = [0.0, 0.0, 0.0]
        for _ in range(count):
            for at, (work, given) in enumerate(works):
                mine = next(given)  # a station makes its scan, and who writes rows has the values
                start = time.perf_counter()
                work(mine)
                spent[at] += time.perf_counter() - start
        return tuple(spent)

    for (work, given), commits_until_then in zip(works[1:], (700, 1200), strict=True):
        for _ in range(commits_until_then):  # until its log of 1,000 pages has come round and is written over
            work(next(given))
    found = [once() for _ in range(rounds)]
    per_s = [count / statistics.median(column) for column in zip(*found, strict=True)]
    print(f"  durable commits/s: overwrite+fdatasync {per_s[0]:.0f}, SQLite rows {per_s[1]:.0f}, ours {per_s[2]:.0f}")
    judge("H2", "of overwrite+fdatasync", [bare / mine for bare, _, mine in found], 0.5)
    judge("H2", "rows over ours", [row / mine for _, row, mine in found], 1.6)
    recorder.store.close()
    os.close(file)


def ingest(data: Matrix, rounds: int) -> None:
    """H6: from scan to committed, and sealed once an hour as a recording is; nothing waiting for a disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").exists() else None) as name:
        folder = Path(name)
        recorder = Recorder(f"sqlite:///{folder / 'ours.db'}", folder, len(data))
        base = sqlite3.connect(folder / "rows.db", isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            base.execute(f"PRAGMA {pragma}")
        peers.make_rows(base)
        offered, count, second = scans(data), 3600, itertools.count()
        found = []
        for number in range(min(rounds, data.shape[1] // count)):
            mine = list(itertools.islice(offered, count))
            start = time.process_time()
            for scan in mine:
                recorder.write(recorder.rows_of(scan))
            recorder.store.seal()
            ours = time.process_time() - start
            part = data.T[number * count :][:count].tolist()
            start = time.process_time()
            for at in range(0, count, 60):
                base.execute("BEGIN")
                some = zip(part[at : at + 60], second, strict=False)  # one instant for all values of a scan
                many = [(moment, n, v) for column, moment in some for n, v in enumerate(column)]
                base.executemany("INSERT INTO s VALUES(?,?,?)", many)
                base.execute("COMMIT")
            found.append((time.process_time() - start, ours))
        each = count * len(data)
        per_s = [each / statistics.median(column) / 1e3 for column in zip(*found, strict=True)]
        print(f"  ingest, thousand samples/s of CPU: SQLite rows {per_s[0]:.0f}, ours {per_s[1]:.0f}")
        judge("H6", "rows over ours", [rows / ours for rows, ours in found], 8.0)
        recorder.store.close()


def under_way(data: Matrix, folder: Path) -> None:
    """The newest ten minutes, 58 minutes after the last block: nothing of them is sealed."""
    folder.mkdir()
    url, seconds = f"sqlite:///{folder / 'ours.db'}", 3500
    recorder = Recorder(url, folder, len(data))
    for scan in scans(data[:, :seconds]):
        recorder.write(recorder.rows_of(scan))
    recorder.store.close()
    with HistoryReader(url, "line") as reader:
        end, names = float(T0_S + seconds), [f"T{n}" for n in range(len(data))]
        one, every, mean = (
            1e3 * seconds_of(question)
            for question in (
                lambda: reader.trend([names[peers.ONE]], end - 600, end),
                lambda: reader.series(names, end - 600, end, hold=True),
                lambda: reader.statistics(names[: peers.AGGREGATED], T0_S, end),
            )
        )
    print(f"  one tag 10 min {one:.2f} ms, all tags {every:.2f} ms, mean of 20 tags over all of it {mean:.2f} ms")


def season(folder: Path) -> None:
    """The same question to a day, thirty days and a season: one block is copied, hour by hour."""
    folder.mkdir()
    data, signals = drawn()[::3, :3600], 40
    moment = (T0_S + np.arange(3600, dtype=np.int64)) * 1_000_000
    block = seal(
        {n + 1: Series(moment, row, np.zeros(3600, np.int64)) for n, row in enumerate(data)},
        dict.fromkeys(range(1, signals + 1), "s"),
    )
    times = []
    for days in (1, 30, 120):
        url = f"sqlite:///{folder / f'{days}.db'}"
        store = Store(url, "line", tags(signals), folder / "quarantine")
        store.open()
        connection = store._open_connection()
        with connection.begin():
            for hour in range(days * 24):
                insert_block(connection, 1, moved(block, hour * 3_600_000_000))
        store.close()
        reader = HistoryReader(url, "line")
        times.append(
            [1e3 * seconds_of(question, 0.2) for question in questions(reader, T0_S + days * 43_200.0, signals)]
        )
        reader.close()
    for n, row in enumerate(zip(*times, strict=True), start=1):
        print(f"  query {n} over 1, 30, 120 days: {row[0]:.2f}, {row[1]:.2f}, {row[2]:.2f} ms")
        judge("cost", f"query {n}, 120 days over 1", row[2] / row[0], 1.5, most=True)


def questions(reader: HistoryReader, at: float, signals: int) -> list[Callable[[], Any]]:
    names = [f"T{n}" for n in range(signals)]
    return [
        lambda: reader.trend(["T5"], at, at + 28_800.0),
        lambda: reader.series(names, at, at + 600.0, hold=True),
        lambda: reader.statistics(names[:20], at, at + 28_800.0),
    ]


def moved(block: Block, by_us: int) -> Block:
    axes = tuple(replace(axis, times=pack_ints(unpack_ints(axis.times) + by_us)) for axis in block.axes)
    chunks = tuple(replace(c, start_us=c.start_us + by_us, end_us=c.end_us + by_us) for c in block.chunks)
    return Block(block.start_us + by_us, block.end_us + by_us, block.rows, axes, chunks)


def thinning(rounds: int) -> None:
    """D1: ten million points to a thousand, against one pass over them."""
    values = np.cumsum(np.random.default_rng(0).normal(size=10_000_000))
    even = np.arange(len(values), dtype=np.int64)
    found = [
        1 / r for r in ratios(rounds, lambda: seconds_of(values.sum), lambda: seconds_of(lambda: one(even, values)))
    ]
    judge("D1", "ours over one sum()", found, 1.2, most=True)


def one(times: Any, values: Any) -> Any:
    return downsampled(times, values, peers.POINTS)


def in_postgresql(data: Matrix, rounds: int, stack: ExitStack) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "history"))
    import postgresql_server  # type: ignore[import-not-found]

    programs = postgresql_server.server_programs()
    if programs is None:
        print("  no PostgreSQL server on this machine")
        return
    server = stack.enter_context(postgresql_server.running(programs))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    url = f"postgresql+psycopg://test@/postgres?host={server}"
    rows = peers.postgresql_rows(f"host={server} user=test dbname=postgres", data, window_of(data))
    record(url, folder, data)
    ours = Ours(url, data)
    check(ours, data)
    found = postgresql_server.psql(
        server,
        "postgres",
        "VACUUM chunk; SELECT sum(pg_total_relation_size(name::regclass)) "
        "FROM unnest(ARRAY['chunk_line_1', 'axis', 'block']) AS name",
    )
    print(f"  bytes a sample: ours {int(found[-1]) / data.size:.3f}, rows {rows.size / data.size:.1f}")
    for name in ("query1", "query2", "query3"):
        mine, theirs = getattr(ours, name), getattr(rows, name)
        wall = time.perf_counter
        found_ratios = [seconds_of(theirs, clock=wall) / seconds_of(mine, clock=wall) for _ in range(rounds)]
        print(f"  {name}: PostgreSQL rows over ours {statistics.median(found_ratios):.1f}")
    ours.reader.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--twin-runs", type=int, default=7, help="runs of the twin to record; 0 = none")
    parser.add_argument("--folder", type=Path, default=None, help="where files are made; default: the temporary folder")
    parser.add_argument("--no-postgresql", action="store_true")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        data = drawn()
        print(f"Drawn: {data.shape[0]} signals x {data.shape[1]} s")
        sizes_and_queries(data, folder / "drawn", given.rounds, with_rows=True)
        commits(data, folder / "commits", given.rounds)
        ingest(data, given.rounds)
        print("The hour under way, not sealed yet")
        under_way(data, folder / "fresh")
        shutil.rmtree(folder / "drawn")
        if given.twin_runs:
            recorded = from_the_twin(given.twin_runs)
            print(f"Recorded from the twin: {recorded.shape[0]} signals x {recorded.shape[1]} s")
            sizes_and_queries(recorded, folder / "twin", given.rounds, with_rows=False)
        print("Down-sampling")
        thinning(given.rounds)
        print("What a question costs as the history grows (40 signals)")
        season(folder / "season")
        if not given.no_postgresql:
            print("PostgreSQL")
            in_postgresql(data, given.rounds, stack)
    print("Not met: " + ", ".join(dict.fromkeys(FAILED)) if FAILED else "All goals are met.")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
