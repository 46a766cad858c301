"""Tags a second over Modbus and OPC UA beside the bare libraries: ``python tests/benchmarks/fieldbus.py [--json]``.

Both ends are pinned to one core (waking an idle one costs more than any library), rounds are interleaved scan by scan,
and only ratios within a round are judged: the median of them, with their range. Absolute times mean little. For
notifications the device has a core of its own and only CPU time is compared, each client in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs from anywhere

from linecontrol.core.model import DataType, Status, Tag, Text
from linecontrol.core.ticker import LoopTicker
from linecontrol.links.certificates import CERTIFICATE_FILE, KEY_FILE, make_certificate, utc_now
from linecontrol.links.modbus import ModbusLink
from linecontrol.links.opcua import OpcuaLink
from linecontrol.links.plan import Limits, Point, plan
from linecontrol.links.settings import ModbusSettings, OpcuaSettings

TAGS = 500
NAMESPACE = "urn:benchmark"
DELAY_S = 0.02  # of the slow devices
CHANGES_PER_S, HEAR_S = 5000, 4.0  # notifications, and how long they are counted
PUBLISHING_S, QUEUE = 0.25, 20
Scan = Callable[[], Awaitable[object]]


# -- devices, each in a process of its own -----------------------------------------------------------------------------


class RawModbus(asyncio.Protocol):
    """The least a Modbus TCP server can do: function 3, register n holds n. Its cost must not hide the clients'."""

    registers = b"".join(struct.pack(">H", i & 0xFFFF) for i in range(65536))
    delay_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        tid, _, _, unit, function, start, count = struct.unpack(">HHHBBHH", data[:12])
        head = struct.pack(">HHHBBB", tid, 0, 3 + 2 * count, unit, function, 2 * count)
        answer = head + self.registers[2 * start : 2 * (start + count)]
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, self.transport.write, answer)
        else:
            self.transport.write(answer)


async def serve_modbus(delay_s: float) -> None:
    RawModbus.delay_s = delay_s
    server = await asyncio.get_running_loop().create_server(RawModbus, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def serve_opcua(papers: Path | None) -> None:
    """500 nodes; with ``papers`` also over Basic256Sha256, with the certificate made there."""
    import logging
    import socket

    logging.disable(logging.CRITICAL)
    from asyncua import Server, ua

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    if papers is not None:
        await server.set_application_uri("urn:localhost:linecontrol")
        await server.load_certificate(papers / CERTIFICATE_FILE)
        await server.load_private_key(papers / KEY_FILE)
        kinds = ua.SecurityPolicyType
        server.set_security_policy([kinds.NoSecurity, kinds.Basic256Sha256_SignAndEncrypt])
    index = await server.register_namespace(NAMESPACE)
    for i in range(TAGS):
        await server.nodes.objects.add_variable(ua.NodeId(f"T.{i}", index), f"T{i}", float(i))
    async with server:
        print(port, flush=True)
        await asyncio.Event().wait()  # until it is ended


async def serve_changes() -> None:
    """500 nodes, each counting up ten times a second, on a schedule that late rounds catch up with."""
    import logging
    import socket

    logging.disable(logging.CRITICAL)
    from asyncua import Server, ua

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    index = await server.register_namespace(NAMESPACE)
    objects = server.nodes.objects
    ids = [(await objects.add_variable(ua.NodeId(f"T.{i}", index), f"T{i}", 0.0)).nodeid for i in range(TAGS)]
    async with server:
        print(port, flush=True)
        loop = asyncio.get_running_loop()
        due = loop.time()
        for count in range(1, 10_000_000):
            due += TAGS / CHANGES_PER_S
            await asyncio.sleep(max(due - loop.time(), 0.0))
            stamp = datetime.now(UTC)
            for node in ids:
                await server.write_attribute_value(node, ua.DataValue(ua.Variant(float(count)), SourceTimestamp=stamp))


@dataclass
class Device:
    process: subprocess.Popen[str]
    port: int

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def device(*arguments: str) -> Iterator[Device]:
    command = [sys.executable, __file__, "--serve", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # inherits our core
    assert process.stdout is not None
    try:
        if not select.select([process.stdout], [], [], 60)[0]:
            raise RuntimeError("the device did not start")
        yield Device(process, int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


# -- measuring ---------------------------------------------------------------------------------------------------------


@dataclass
class Figure:
    """A ratio, round by round, and the limit it is held to."""

    name: str
    limit: float
    at_most: bool
    ratios: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def passed(self) -> bool:
        return self.median <= self.limit if self.at_most else self.median >= self.limit

    def line(self) -> str:
        sign = "<=" if self.at_most else ">="
        span = f"{min(self.ratios):.3f}..{max(self.ratios):.3f}"
        return (
            f"{'PASS' if self.passed else 'FAIL'}  {self.name:<58} {self.median:7.3f} ({span}), {sign} {self.limit:g}"
        )


@dataclass
class Speed:
    name: str
    scan_ms: float
    tags_per_s: float
    client_cpu_ms: float
    device_cpu_ms: float

    def line(self) -> str:
        cpu = f"CPU a scan {self.client_cpu_ms:.2f} ms here, {self.device_cpu_ms:.2f} ms device"
        return f"      {self.name:<40} {self.scan_ms:8.2f} ms a scan {self.tags_per_s:9.0f} tags/s  {cpu}"


async def interleaved(
    scans: dict[str, tuple[Scan, int]], rounds: int, dev: Device
) -> tuple[list[dict[str, float]], list[Speed]]:
    """Seconds a scan for every way in every round. ``scans``: name -> (scan, how many a round)."""
    for scan, _ in scans.values():
        await scan()
    table: list[dict[str, float]] = []
    cpu = {name: [0.0, 0.0] for name in scans}
    for _ in range(rounds):
        spent = dict.fromkeys(scans, 0.0)
        for i in range(max(times for _, times in scans.values())):
            for name, (scan, times) in scans.items():
                if i < times:
                    before = time.process_time(), dev.cpu_s(), time.perf_counter()
                    await scan()
                    spent[name] += time.perf_counter() - before[2]
                    cpu[name][0] += time.process_time() - before[0]
                    cpu[name][1] += dev.cpu_s() - before[1]
        table.append({name: spent[name] / times for name, (_, times) in scans.items()})
    speeds = []
    for name, (_, times) in scans.items():
        scan_s = statistics.median(row[name] for row in table)
        here, there = (1000 * s / (rounds * times) for s in cpu[name])
        speeds.append(Speed(name, 1000 * scan_s, TAGS / scan_s, here, there))
    return table, speeds


def ratio(table: list[dict[str, float]], over: str, under: str) -> list[float]:
    return [row[over] / row[under] for row in table]


def clustered_tags() -> list[Point]:
    """500 tags in 40 clusters over 4,000 registers, whole numbers and scaled ones, with ranges."""
    dice = random.Random(1)
    registers: set[int] = set()
    while len(registers) < TAGS:
        registers.add(dice.randrange(40) * 100 + dice.randrange(40))
    points = []
    for register in sorted(registers):
        name, kind = f"T{register}", (DataType.UINT16, DataType.INT16)[register % 2]
        scale = 0.1 if register % 3 else 1.0
        tag = Tag(name, "s", Text(name, name), "", kind, "", scale=scale, low=0.0, high=5000.0)
        points.append(Point(tag, "holding", register))
    return points


async def measure_modbus(rounds: int, scans: int) -> tuple[list[Figure], list[Speed]]:
    from pymodbus.client import AsyncModbusTcpClient

    points, gap = clustered_tags(), 124
    blocks = [(block.start, block.count) for block in plan(points, Limits(125, gap))]
    with device("modbus") as dev:
        bare = AsyncModbusTcpClient("127.0.0.1", port=dev.port)
        await bare.connect()
        link = ModbusLink(ModbusSettings(port=dev.port, max_gap_words=gap), points)
        await link.open()
        readings = await link.read()
        assert len(readings) == TAGS
        assert all(reading.status is Status.GOOD for reading in readings.values())

        async def read_blocks() -> None:
            for start, count in blocks:
                await bare.read_holding_registers(start, count=count, device_id=1)

        async def read_each() -> None:
            for point in points:
                await bare.read_holding_registers(point.register, count=1, device_id=1)

        names = {
            f"Modbus, bare pymodbus, {len(blocks)} blocks": (read_blocks, scans),
            f"Modbus, ours, {len(blocks)} blocks, decoded": (link.read, scans),
            "Modbus, one request a tag": (read_each, 1),
        }
        table, speeds = await interleaved(names, rounds, dev)  # type: ignore[arg-type]
        bare.close()
        await link.close()
    blocks_name, ours, each = names
    return [
        Figure("M1 Modbus, 500 tags: our time / bare pymodbus blocks", 1.15, True, ratio(table, ours, blocks_name)),
        Figure("M1 Modbus, 500 tags: one request a tag / our time", 10.0, False, ratio(table, each, ours)),
    ], speeds


async def measure_side_by_side(rounds: int) -> list[Figure]:
    ratios = []
    points = clustered_tags()[:100]
    with contextlib.ExitStack() as stack:
        devices = [stack.enter_context(device("modbus", str(DELAY_S))) for _ in range(4)]
        links = [ModbusLink(ModbusSettings(port=dev.port, max_gap_words=124), points) for dev in devices]
        for link in links:
            await link.open()
            await link.read()
        for _ in range(rounds):
            start = time.perf_counter()
            await links[0].read()
            middle = time.perf_counter()
            await asyncio.gather(*(link.read() for link in links))
            ratios.append((time.perf_counter() - middle) / (middle - start))
        for link in links:
            await link.close()
    return [Figure(f"M2 four devices answering in {DELAY_S * 1000:.0f} ms: together / one", 1.3, True, ratios)]


async def opcua_link(settings: OpcuaSettings) -> OpcuaLink:
    """Our link to the 500 nodes, open; it reads what is there."""
    names = [f"T{i}" for i in range(TAGS)]
    tags = [
        Tag(n, "s", Text(n, n), "", DataType.FLOAT64, f"s=T.{i}", low=0.0, high=1000.0) for i, n in enumerate(names)
    ]
    link = OpcuaLink(settings, tags)
    await link.open()
    readings = await link.read()
    assert [readings[name].value for name in names] == [float(i) for i in range(TAGS)]
    return link


async def measure_opcua(rounds: int, scans: int) -> tuple[list[Figure], list[Speed]]:
    with device("opcua") as dev:
        url = f"opc.tcp://127.0.0.1:{dev.port}/"
        link = await opcua_link(OpcuaSettings(url, NAMESPACE, timeout_s=10.0))
        from asyncua import Client, ua

        async with Client(url, timeout=10) as bare:
            index = await bare.get_namespace_index(NAMESPACE)
            nodes = [bare.get_node(ua.NodeId(f"T.{i}", index)) for i in range(TAGS)]

            async def read_gathered() -> None:
                await asyncio.gather(*(node.read_value() for node in nodes))

            ways = {
                "OPC UA, bare asyncua, one Read": (lambda: bare.read_values(nodes), scans),
                "OPC UA, ours, one Read, with quality": (link.read, scans),
                "OPC UA, gathered single reads": (read_gathered, 1),
            }
            table, speeds = await interleaved(ways, rounds, dev)  # type: ignore[arg-type]
        await link.close()
    bare_name, ours, gathered = ways
    return [
        Figure("O1 OPC UA, 500 nodes: our speed / bare asyncua's", 0.95, False, ratio(table, bare_name, ours)),
        Figure("O1 OPC UA, 500 nodes: gathered single reads / our time", 5.0, False, ratio(table, gathered, ours)),
    ], speeds


async def measure_encrypted(rounds: int, scans: int) -> tuple[list[Figure], list[Speed]]:
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = (make_certificate(Path(name) / end, "localhost", utc_now()) for end in ("ours", "theirs"))
        with device("opcua", str(theirs.certificate.parent)) as dev:
            settings = OpcuaSettings(f"opc.tcp://127.0.0.1:{dev.port}/", NAMESPACE, timeout_s=10.0)
            plain = await opcua_link(settings)
            encrypted = await opcua_link(
                replace(
                    settings,
                    security="sign_and_encrypt",
                    certificate=ours.certificate,
                    private_key=ours.private_key,
                    server_certificate=theirs.certificate,
                )
            )
            ways: dict[str, tuple[Scan, int]] = {
                "OPC UA, ours, plain": (plain.read, scans),
                "OPC UA, ours, signed and encrypted": (encrypted.read, scans),
            }
            table, speeds = await interleaved(ways, rounds, dev)
            await plain.close()
            await encrypted.close()
    figure = "O3 OPC UA, 500 nodes: speed signed and encrypted / plain"
    return [Figure(figure, 0.90, False, ratio(table, *ways))], speeds


# -- notifications: every client in a process of its own, for its CPU time ---------------------------------------------


async def hear_bare(port: int, is_iterator: bool) -> dict[str, float]:
    """Values as asyncua's own subscription gives them: to the usual object, or by its iterator."""
    from asyncua import Client, ua

    heard: list[tuple[Any, Any]] = []

    class Listener:
        def datachange_notification(self, node: Any, value: Any, _: Any) -> None:
            heard.append((node.nodeid, value))

    async def listen(subscription: Any) -> None:
        async for event in subscription:
            heard.append((event.node.nodeid, event.value))  # noqa: PERF401  # it never ends

    async with Client(f"opc.tcp://127.0.0.1:{port}/", timeout=10) as client:
        index = await client.get_namespace_index(NAMESPACE)
        nodes = [client.get_node(ua.NodeId(f"T.{i}", index)) for i in range(TAGS)]
        listener = None if is_iterator else Listener()
        subscription = await client.create_subscription(1000 * PUBLISHING_S, listener, queue_maxsize=1_000_000)
        await subscription.subscribe_data_change(nodes, queuesize=QUEUE, sampling_interval=4000 * PUBLISHING_S / QUEUE)
        listening = [asyncio.create_task(listen(subscription))] if is_iterator else []
        while len(heard) < TAGS:  # the first values are not what is measured
            await asyncio.sleep(PUBLISHING_S)
        before, cpu_s = len(heard), time.process_time()
        await asyncio.sleep(HEAR_S)
        cpu_s, count = time.process_time() - cpu_s, len(heard) - before
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        await subscription.delete()
    return {"cpu_s": cpu_s, "count": count, "lost": lost_of(heard)}


async def hear_ours(port: int) -> dict[str, float]:
    """Readings with quality and source time, fetched twice a second as a station does."""
    url = f"opc.tcp://127.0.0.1:{port}/"
    tags = [Tag(f"T{i}", "s", Text("", ""), "", DataType.FLOAT64, f"s=T.{i}") for i in range(TAGS)]
    how = {"reading": "subscribe", "publishing_s": PUBLISHING_S, "queue_size": QUEUE}
    link = OpcuaLink(OpcuaSettings(url, NAMESPACE, timeout_s=10.0, **how), tags)  # type: ignore[arg-type]
    scans: list[dict[str, Any]] = []

    async def scan(times: int) -> None:
        beat = LoopTicker(0.5)
        for _ in range(times):
            await beat.next()
            newest = await link.read()
            scans.extend([*link.earlier(), newest])

    await link.open()
    await scan(2)
    before, cpu_s = link.counters.notifications, time.process_time()
    await scan(round(2 * HEAR_S))
    cpu_s, count = time.process_time() - cpu_s, link.counters.notifications - before
    heard = [(name, reading.value) for scan in scans for name, reading in scan.items()]
    await link.close()
    assert all(reading.status is Status.GOOD and reading.source_time for scan in scans for reading in scan.values())
    return {"cpu_s": cpu_s, "count": count, "lost": lost_of(heard) + link.counters.lost}


def lost_of(heard: list[tuple[Any, Any]]) -> int:
    """Counts left out, node by node; one said again in the next scan is none, one out of order is."""
    last: dict[Any, float] = {}
    lost = 0
    for node, value in heard:
        step = value - last.get(node, value)
        lost += int(abs(step - 1)) if step else 0
        last[node] = value
    return lost


def client(kind: str, port: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--serve", kind, str(port)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def measure_notifications(rounds: int) -> tuple[list[Figure], list[str]]:
    """The device has a core of its own, for it works harder than any client."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    kinds = {"hear-object": "bare, its object", "hear-iterator": "bare, its iterator", "hear-ours": "ours"}
    table: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    all_cores = set(range(os.cpu_count() or 1))
    if cores:
        os.sched_setaffinity(0, (all_cores - {cores[0]}) or all_cores)
    with device("changes") as dev:
        if cores:
            os.sched_setaffinity(0, {cores[0]})
        for number in range(rounds):
            for kind in list(kinds)[number % 3 :] + list(kinds)[: number % 3]:
                table[kind].append(client(kind, dev.port))
    lines = []
    for kind, name in kinds.items():
        each_us = statistics.median(1e6 * row["cpu_s"] / row["count"] for row in table[kind])
        rate = statistics.median(row["count"] / HEAR_S for row in table[kind])
        lost = sum(row["lost"] for row in table[kind])
        title = f"OPC UA notifications, {name}"
        lines.append(f"      {title:<40} {each_us:8.2f} us a value {rate:9.0f} values/s  lost {lost:.0f}")

    def ratios(under: str) -> list[float]:
        pairs = zip(table["hear-ours"], table[under], strict=True)
        return [(a["cpu_s"] / a["count"]) / (b["cpu_s"] / b["count"]) for a, b in pairs]

    lost = sum(row["lost"] for row in table["hear-ours"])
    return [
        Figure("O2 OPC UA, notifications: our CPU / asyncua's, its object", 1.25, True, ratios("hear-object")),
        Figure("O2 OPC UA, notifications: our CPU / asyncua's, its iterator", 1.25, True, ratios("hear-iterator")),
        Figure("O2 OPC UA, notifications: lost by ours, all rounds", 0.0, True, [lost]),
    ], lines


async def measure(rounds: int, scans: int) -> tuple[list[Figure], list[Speed]]:
    modbus, modbus_speeds = await measure_modbus(rounds, scans)
    side_by_side = await measure_side_by_side(rounds)
    opcua, opcua_speeds = await measure_opcua(rounds, max(scans // 2, 1))
    encrypted, encrypted_speeds = await measure_encrypted(rounds, max(scans // 2, 1))
    figures = [*modbus, *side_by_side, *opcua, *encrypted]
    return figures, [*modbus_speeds, *opcua_speeds, *encrypted_speeds]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="at least 5")
    parser.add_argument("--scans", type=int, default=30, help="of each kind in a round")
    parser.add_argument("--only-notifications", action="store_true", help="O2 alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--serve", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        kind, *more = options.serve
        with contextlib.suppress(KeyboardInterrupt):
            if kind.startswith("hear-"):
                port = int(more[0])
                heard = hear_ours(port) if kind == "hear-ours" else hear_bare(port, kind == "hear-iterator")
                print(json.dumps(asyncio.run(heard)))
            elif kind == "changes":
                asyncio.run(serve_changes())
            elif kind == "opcua":
                asyncio.run(serve_opcua(Path(more[0]) if more else None))
            else:
                asyncio.run(serve_modbus(float(more[0]) if more else 0.0))
        return 0
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    figures: list[Figure] = []
    speeds: list[Speed] = []
    if not options.only_notifications:
        figures, speeds = asyncio.run(measure(max(options.rounds, 5), options.scans))
    reported, lines = measure_notifications(max(options.rounds // 3, 5))
    figures += reported
    passed = all(figure.passed for figure in figures)
    if options.json:
        rows = [{**asdict(f), "median": f.median, "passed": f.passed} for f in figures]
        print(
            json.dumps(
                {"passed": passed, "figures": rows, "speeds": [asdict(s) for s in speeds], "notifications": lines}
            )
        )
    else:
        print(*(item.line() for item in speeds), *lines, *(item.line() for item in figures), sep="\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
