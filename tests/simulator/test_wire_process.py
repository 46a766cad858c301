"""``python -m simulator`` as a technician, a test or the demo starts it: a real process with the real plant."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client
from pymodbus.client import AsyncModbusTcpClient
from wire_rig import DEMO, write_line

from simulator.yaml_text import load_yaml

REPO = DEMO.parents[2]


@dataclass
class Process:
    child: asyncio.subprocess.Process
    urls: dict[str, str]
    errors: str = ""

    def port(self, station: str) -> int:
        return int(self.urls[station].split(":")[2].split("?")[0].split("/")[0])

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it, wait, keep what it wrote to stderr."""
        assert self.child.stderr is not None
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(number)
        self.errors += (await asyncio.wait_for(self.child.stderr.read(), 5)).decode()
        return await asyncio.wait_for(self.child.wait(), 2)


async def spawn(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, stdin=pipe, stdout=pipe, stderr=pipe, cwd=REPO
    )


@contextlib.asynccontextmanager
async def simulator(*arguments: str) -> AsyncIterator[Process]:
    child = await spawn(*arguments)
    try:
        assert child.stdout is not None
        line = (await asyncio.wait_for(child.stdout.readline(), 30)).decode()
        if not line.startswith("READY "):
            assert child.stderr is not None
            pytest.fail(f"no READY line but {line!r}: {(await child.stderr.read()).decode()}")
        yield Process(child, json.loads(line.removeprefix("READY ")))
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        child._transport.close()


@contextlib.asynccontextmanager
async def client_of(process: Process, station: str) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=process.port(station), timeout=1, retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def screening_only(tmp_path: Path) -> str:
    """A line file a third party wrote: one station, nothing else beside it."""

    def change(files: dict[str, dict[str, Any]]) -> None:
        files["demo"]["stations"] = {"screening": files["demo"]["stations"]["screening"]}

    return str(write_line(tmp_path, change))


async def test_the_demo_line_serves_sensible_values_and_ends_clean_under_connected_clients(tmp_path: Path) -> None:
    ports = [text for name in ("screening", "grinding", "drying") for text in ("--endpoint", f"{name}=0")]
    truth = tmp_path / "truth.json"
    start = ("--speed", "30", "--seed", "7", "--root-kg", "250", "--boot-id", "77", "--truth", str(truth))
    async with simulator(*ports, *start) as process:
        assert list(process.urls) == ["screening", "grinding", "drying"]
        assert process.urls["drying"].endswith("/drying")
        async with client_of(process, "screening") as one, client_of(process, "grinding") as two:
            words = (await one.read_holding_registers(0, count=26, device_id=1)).registers
            assert words[0] == 77
            assert one.convert_from_registers(words[10:12], one.DATATYPE.FLOAT32) == pytest.approx(250, abs=10)
            words = (await two.read_holding_registers(0x1000, count=32, device_id=1)).registers
            kind = two.DATATYPE.FLOAT32
            assert two.convert_from_registers(words[2:4], kind, word_order="little") == 1234.5
            assert 980 <= two.convert_from_registers(words[18:20], kind, word_order="little") <= 1300
            ua = Client(process.urls["drying"], timeout=2)
            await ua.connect()
            space = await ua.get_namespace_index("urn:linecontrol:drying")
            inlet = await ua.get_node(f"ns={space};s=Heater.TT-303").read_value()
            assert -20 < inlet < 60
            sequence = ua.get_node(f"ns={space};s=Plc.SEQ-300")
            while await sequence.read_value() < 1:  # the plant lives
                await asyncio.sleep(0.01)
            code = await process.end()
            with contextlib.suppress(Exception):
                await ua.disconnect()
        assert code == 0
        assert "Traceback" not in process.errors
        assert "destroyed" not in process.errors
        assert "not in the plant" not in process.errors  # the real plant knows every tag of the demo
    assert json.loads(truth.read_text("utf-8"))["plant_time_s"] > 0


async def test_interrupt_ends_it_too_and_the_sequence_log_is_whole(screening_only: str, tmp_path: Path) -> None:
    log = tmp_path / "sequence.csv"
    async with simulator(
        "--line", screening_only, "--endpoint", "screening=0", "--speed", "100", "--sequence-log", str(log)
    ) as process:
        async with client_of(process, "screening") as client:
            sequence = 0
            while sequence < 50:
                words = (await client.read_holding_registers(4, count=4, device_id=1)).registers
                sequence, check = words[0] << 16 | words[1], words[2] << 16 | words[3]
                assert check == sequence * 2654435761 % 2**32
            assert f"screening,{sequence},{check}," in log.read_text("utf-8")  # already there while it runs
        assert await process.end(signal.SIGINT) == 0
    rows = list(csv.DictReader(log.read_text("utf-8").splitlines()))
    assert [int(row["seq"]) for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 50
    for row in rows:
        assert row["station"] == "screening"
        assert int(row["check"]) == int(row["seq"]) * 2654435761 % 2**32
        assert float(row["plant_time"]) == int(row["seq"])
    times = [datetime.fromisoformat(row["real_utc"]) for row in rows]
    assert times == sorted(times)


async def test_it_ends_with_its_parent(screening_only: str) -> None:
    arguments = ("--line", screening_only, "--endpoint", "screening=0", "--exit-with-parent")
    async with simulator(*arguments) as process:
        assert process.child.stdin is not None
        process.child.stdin.close()
        assert await asyncio.wait_for(process.child.wait(), 5) == 0


async def test_faults_are_begun_and_ended_on_stdin(screening_only: str) -> None:
    arguments = ("--line", screening_only, "--endpoint", "screening=0", "--interactive", "--speed", "20")
    async with simulator(*arguments) as process:
        child = process.child
        assert child.stdin is not None
        assert child.stderr is not None

        async def say(text: str) -> str:
            child.stdin.write(f"{text}\n".encode())
            return (await asyncio.wait_for(child.stderr.readline(), 5)).decode()

        async with client_of(process, "screening") as client:
            assert "fault begins: exception:screening:6" in await say("fault exception:screening:6")
            assert (await client.read_holding_registers(0, count=1, device_id=1)).exception_code == 6
            assert "fault ends: exception:screening:6" in await say("clear exception:screening:6")
            assert not (await client.read_holding_registers(0, count=1, device_id=1)).isError()
            assert "not known" in await say("fault fire:screening")
            assert "no such fault" in await say("clear fire")
            assert "not understood" in await say("please")
        assert await process.end() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--line", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["--fault", "fire:screening"], 2, "'fire' is not known"),
        (["--endpoint", "bakery=0"], 2, "STATION=PORT"),
        (["--speed", "0"], 2, "accepted: above 0"),
        (["--host", "0.0.0.0", "--line", "nowhere.yaml"], 2, "WARNING: listening on 0.0.0.0"),
    ],
)
async def test_bad_input_is_told_without_a_traceback(arguments: list[str], code: int, says: str) -> None:
    child = await spawn(*arguments)
    out, errors = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == code
    assert says in errors.decode()
    assert "Traceback" not in errors.decode()
    assert out == b""


async def test_a_taken_port_is_told_without_a_traceback(screening_only: str) -> None:
    blocker = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    async with blocker:
        port = blocker.sockets[0].getsockname()[1]
        child = await spawn("--line", screening_only, "--endpoint", f"screening={port}")
        _, errors = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 3
    assert str(port) in errors.decode()
    assert "Traceback" not in errors.decode()


def test_the_shipped_line_listens_on_loopback_only() -> None:
    stations = load_yaml(DEMO.read_text("utf-8"))["stations"]
    assert all("//127.0.0.1:" in station["endpoint"] for station in stations.values())
