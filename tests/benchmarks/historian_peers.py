"""The same samples in other ways: rows in SQLite and PostgreSQL, DuckDB by signal and by time, Parquet.

Each has ``size`` [bytes], and the three queries of ``historian.py`` as functions that return arrays.
"""

# ruff: noqa: S608 - no word of anybody else's
from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from historian_data import T0_S, Matrix
from tsdownsample import MinMaxLTTBDownsampler

POINTS = 1000
ONE = 5
AGGREGATED = 20

Array = npt.NDArray[Any]


@dataclass
class Peer:
    """Queries: one signal whole, down-sampled; all signals in a window [s from the start]; mean, min, max of 20."""

    name: str
    size: int
    query1: Callable[[], Array]
    query2: Callable[[], Array]
    query3: Callable[[], Array]


def thinned(values: Array) -> Array:
    values = np.ascontiguousarray(values, np.float64)
    return values[MinMaxLTTBDownsampler().downsample(values, n_out=POINTS)]


def times(data: Matrix) -> npt.NDArray[np.int64]:
    return (T0_S + np.arange(data.shape[1], dtype=np.int64)) * 1000


def sql_peer(name: str, size: int, ask: Callable[[str], list[Any]], window: tuple[int, int]) -> Peer:
    a, b = ((T0_S + second) * 1000 for second in window)
    return Peer(
        name,
        size,
        lambda: thinned(np.array(ask(f"SELECT val FROM s WHERE sig={ONE} ORDER BY ts"), float).ravel()),
        lambda: np.array([row[2] for row in ask(f"SELECT ts,sig,val FROM s WHERE ts>={a} AND ts<{b}")]),
        lambda: np.array(
            ask(f"SELECT avg(val),min(val),max(val) FROM s WHERE sig<{AGGREGATED} GROUP BY sig ORDER BY sig")
        ),
    )


def sqlite_rows(folder: Path, data: Matrix, window: tuple[int, int]) -> Peer:
    path = folder / "rows.db"
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("PRAGMA journal_mode=WAL")
    make_rows(base)
    base.execute("BEGIN")
    for at, (second, column) in enumerate(zip(times(data).tolist(), data.T.tolist(), strict=True)):
        base.executemany("INSERT INTO s VALUES(?,?,?)", [(second, sig, value) for sig, value in enumerate(column)])
        if at % 600 == 599:
            base.execute("COMMIT")
            base.execute("BEGIN")
    base.execute("COMMIT")
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.execute("ANALYZE")
    return sql_peer("SQLite rows", path.stat().st_size, lambda sql: base.execute(sql).fetchall(), window)


def make_rows(base: sqlite3.Connection) -> None:
    base.execute("CREATE TABLE s(ts INTEGER, sig INTEGER, val REAL, PRIMARY KEY(ts,sig)) WITHOUT ROWID")
    base.execute("CREATE INDEX ix ON s(sig,ts,val)")


def duckdb(folder: Path, data: Matrix, window: tuple[int, int], *, by_signal: bool) -> Peer:
    import duckdb
    import pyarrow as pa

    path = folder / f"{'signal' if by_signal else 'time'}.duckdb"
    base = duckdb.connect(str(path))
    base.execute("SET threads=1")
    base.execute("CREATE TABLE s(ts BIGINT, sig SMALLINT, val DOUBLE)")
    signals, seconds = data.shape
    number = np.arange(signals, dtype=np.int16)
    whole = (0, seconds) if by_signal else (0, 1800)
    for start in range(0, seconds, whole[1]):
        part, moment = data[:, start : start + whole[1]], times(data)[start : start + whole[1]]
        if by_signal:
            rows = {"ts": np.tile(moment, signals), "sig": np.repeat(number, len(moment)), "val": part.ravel()}
        else:
            rows = {"ts": np.repeat(moment, signals), "sig": np.tile(number, len(moment)), "val": part.T.ravel()}
        batch = pa.table(rows)  # noqa: F841 - DuckDB finds it by its name
        base.execute("INSERT INTO s SELECT * FROM batch")
    base.execute("CHECKPOINT")
    a, b = ((T0_S + second) * 1000 for second in window)
    mean = f"SELECT avg(val),min(val),max(val) FROM s WHERE sig<{AGGREGATED} GROUP BY sig ORDER BY sig"

    def column(sql: str) -> Array:
        return base.execute(sql).fetchnumpy()["val"]

    return Peer(
        f"DuckDB by {'signal' if by_signal else 'time'}",
        path.stat().st_size,
        lambda: thinned(column(f"SELECT val FROM s WHERE sig={ONE} ORDER BY ts")),
        lambda: column(f"SELECT ts,sig,val FROM s WHERE ts>={a} AND ts<{b}"),
        lambda: np.array(base.execute(mean).fetchall()),
    )


def parquet(folder: Path, data: Matrix, window: tuple[int, int]) -> Peer:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "wide.parquet"
    names = [f"c{sig}" for sig in range(len(data))]
    table = pa.table({"ts": times(data), **dict(zip(names, data, strict=True))})
    pq.write_table(table, path, compression="zstd", row_group_size=3600)
    group, offset = divmod(window[0], 3600)
    length = window[1] - window[0]

    def inside() -> Array:
        columns = pq.ParquetFile(path).read_row_group(group, columns=names).columns
        return np.array([column.to_numpy()[offset : offset + length] for column in columns])

    def mean() -> Array:
        columns = pq.read_table(path, columns=names[:AGGREGATED]).columns
        return np.array([(x.mean(), x.min(), x.max()) for x in (column.to_numpy() for column in columns)])

    one = [names[ONE]]
    return Peer(
        "Parquet",
        path.stat().st_size,
        lambda: thinned(pq.read_table(path, columns=one).column(0).to_numpy()),
        inside,
        mean,
    )


def postgresql_rows(url: str, data: Matrix, window: tuple[int, int]) -> Peer:
    import psycopg

    base = psycopg.connect(url, autocommit=True)
    base.execute("CREATE TABLE s(ts bigint, sig smallint, val double precision)")
    base.execute("CREATE INDEX i1 ON s(sig,ts)")
    base.execute("CREATE INDEX i2 ON s USING brin(ts)")
    number = np.arange(len(data))
    head = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    kind = [("n", ">i2"), ("a", ">i4"), ("ts", ">i8"), ("b", ">i4"), ("sig", ">i2"), ("c", ">i4"), ("val", ">f8")]
    for start in range(0, data.shape[1], 600):
        moment, part = times(data)[start : start + 600], data[:, start : start + 600]
        rows = np.zeros(part.size, kind)
        rows["n"], rows["a"], rows["b"], rows["c"] = 3, 8, 2, 8
        rows["ts"], rows["sig"] = np.repeat(moment, len(data)), np.tile(number, len(moment))
        rows["val"] = part.T.ravel()
        with base.cursor().copy("COPY s FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(head + rows.tobytes() + b"\xff\xff")
    base.execute("VACUUM ANALYZE s")
    found = base.execute("SELECT pg_total_relation_size('s')").fetchone()
    assert found is not None
    return sql_peer("PostgreSQL rows", int(found[0]), lambda sql: base.execute(sql).fetchall(), window)
