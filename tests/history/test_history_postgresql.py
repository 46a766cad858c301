"""PostgreSQL: a real server of an unprivileged user on a unix socket, or one line that says why not.

Every statement the store executes is replayed on it through ``psql``, so the SQL is proven also where no Python driver
is installed; with one (psycopg), the historian itself runs against the server.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from linecontrol.core.image import Scan
from linecontrol.core.model import Command, Event, Outcome, Receipt, Sample, Status, Tag
from linecontrol.history import Historian, RecipeRow, RunRow, migrate
from linecontrol.history.inserts import sample_insert

T0 = 1_750_000_000.0

MakeHistorian = Callable[..., Historian]
MakeScan = Callable[[int], Scan]
Psql = Callable[[str], list[str]]


def server_programs() -> Path | None:
    found = [Path(path).resolve().parent for path in [shutil.which("pg_ctl")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def unprivileged() -> dict[str, Any]:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """Folder of the socket of a server that lives as long as this module."""
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server binary on this machine (initdb, pg_ctl)")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    identity = unprivileged()
    if identity:
        os.chown(folder, identity["user"], identity["group"])

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=60, **identity)

    data = str(folder / "data")
    try:
        run(str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "test", "-N", "--locale=C", "-E", "UTF8")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run(str(programs / "pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield folder
        finally:
            run(str(programs / "pg_ctl"), "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def psql(server: Path) -> Iterator[Psql]:
    """Runs SQL in a fresh database; answers unaligned rows."""

    def run_in(database: str, sql: str) -> list[str]:
        command = [
            "psql",
            "-h",
            str(server),
            "-U",
            "test",
            "-d",
            database,
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
        ]
        done = subprocess.run(command, check=False, input=sql, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    run_in("postgres", "CREATE DATABASE history")
    yield lambda sql: run_in("history", sql)
    run_in("postgres", "DROP DATABASE history WITH (FORCE)")


async def record_some(history: Historian, scan: MakeScan) -> None:
    await history.start()
    for n in range(30):
        history.offer(scan(n))
    history.offer(Scan("drying", T0 + 30, {"TT-1": Sample(None, Status.BAD_NO_COMMUNICATION, T0 + 30)}))
    history.event(Event(T0 + 1, "link.down", "drying", "it's away; 葛", active=True, data={"a": 1}))
    history.command(Receipt(Command("TT-1", 5.5, "operator:li", "warmer"), Outcome.CONFIRMED, T0 + 2, "", 5.5, 5.0))
    await history.save_run(RunRow("R-1", "standard", "abc", "Running", T0 + 5, T0))
    await history.save_recipe(RecipeRow("abc", "standard", "1", "text: 葛", T0))
    await history.save_run(RunRow("R-1", "standard", "abc", "Complete", T0 + 9, T0, T0 + 9))
    await history.stop()


class Copyist:
    """Writes down what is executed, in the words of PostgreSQL."""

    def __init__(self) -> None:
        self.script: list[str] = []

    def note(self, _connection: object, statement: Any, many: Sequence[Any], one: dict[str, Any], _: object) -> None:
        is_ours = isinstance(statement, (sa.Insert, sa.Update, sa.Delete, sa.Select))
        if not is_ours or "schema_version" in str(statement):
            return
        for params in many or [one]:
            full = statement
            if isinstance(statement, sa.Insert) and statement.table.name == "sample":
                full = sample_insert("postgresql")
            if params and isinstance(full, (sa.Insert, sa.Update)):
                full = full.values(**params)
            dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
            compiled = full.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
            if not isinstance(statement, sa.Select):
                self.script.append(f"{compiled};")
            else:
                self.script.append(f"\\o /dev/null\n{compiled};\n\\o")


async def test_every_statement_of_the_store_means_the_same_to_postgresql(
    psql: Psql, historian: MakeHistorian, scan: MakeScan, ask: Callable[..., list[tuple[Any, ...]]]
) -> None:
    psql(migrate.script_for("postgresql"))
    copyist = Copyist()
    listening: tuple[Any, ...] = (sa.Engine, "before_execute", copyist.note)
    sa.event.listen(*listening)
    try:
        await record_some(historian(), scan)
        await record_some(historian(), lambda n: scan(n + 100))  # with brackets, upserts and known tags
    finally:
        sa.event.remove(*listening)
    psql("\n".join(copyist.script))
    inserts = [line for line in copyist.script if line.startswith("INSERT INTO sample")]
    psql("\n".join(inserts))  # replayed: stored once
    queries = (
        "SELECT tag_id, time_us, value, status, text FROM sample ORDER BY tag_id, time_us",
        "SELECT id, line_id, time_us, kind, source, severity, active, text, data FROM event ORDER BY id",
        "SELECT id, who, tag, value, old, readback, outcome FROM command ORDER BY id",
        "SELECT line_id, run_id, state, started_us, ended_us FROM run",
        "SELECT hash, name, version, text, saved_us FROM recipe",
        "SELECT id, line_id, name, alias, unit, type FROM tag ORDER BY id",
        "SELECT writer, number FROM spool_state ORDER BY writer",
        "SELECT line, station, tag, value, unit, quality FROM readable_sample ORDER BY tag, quality, value",
    )
    for query in queries:
        lite = [tuple("" if cell is None else cell for cell in row) for row in ask(query)]
        assert lite
        theirs = [tuple(line.split("|")) for line in psql(query)]
        assert [tuple(map(plain, row)) for row in theirs] == [tuple(map(plain, row)) for row in lite]


def plain(cell: object) -> object:
    try:
        return float(str(cell))
    except ValueError:
        return str(cell)


async def test_the_historian_records_into_postgresql_and_reads_back(
    psql: Psql, server: Path, tmp_path: Path, tags: Sequence[Tag], scan: MakeScan
) -> None:
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("the PostgreSQL driver psycopg is not installed")
    url = f"postgresql+psycopg://test@/history?host={server}"
    history = Historian(url, tmp_path / "spool", "demo", tags, flush_s=0.02)
    await record_some(history, scan)
    assert history.counters.adds_up
    assert history.counters.stored == history.counters.accepted
    again = Historian(url, tmp_path / "spool", "demo", tags, flush_s=0.02)
    await again.start()
    found = await again.samples(["SEQ", "ZT-1"], T0, T0 + 30)
    assert [s.value for s in found["SEQ"] if s.is_good] == [float(n) for n in range(30)]
    assert [s.value for s in found["ZT-1"] if s.is_good][:3] == ["相 A", "", "相 A"]
    run = await again.last_run()
    assert run is not None
    assert run.state == "Complete"
    too_large: Any = 2**70
    sick = {"TT-1": Sample(1.0, too_large, T0 + 99), "ZT-1": Sample("a\x00b", Status.GOOD, T0 + 99)}
    again.offer(Scan("drying", T0 + 99, sick))
    await again.flush()
    assert again.counters.quarantined == 2
    await again.stop()
    assert again.counters.adds_up
    assert psql("SELECT count(*) FROM quarantine") == ["2"]
