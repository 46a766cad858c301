"""What the display costs, and how late its browsers are: 0 and 25 clients at 2 Hz beside a running line.

    python tests/benchmarks/display.py [--clients 25] [--seconds 20]

Each client reads the display's WebSocket as a browser does; one more takes the connection and never reads. Told are
the display's and the controller's share of one processor, the scans the stations missed, how far control cycles and
the scans of the Modbus stations lay from their own beat of half a second (jitter), and how long after the controller's
own feed a new count of its control cycles came to the clients (the tag RUN.CYCLES).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "line"), str(HERE.parent / "hmi"), str(HERE.parents[1])]

from hmi_rig import Stage, browser_page, stage  # noqa: E402
from line_rig import console  # noqa: E402
from screens import until_ready  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

TAG = "RUN.CYCLES"
SPEED = 1.0
BEAT_S = 0.5  # of the scans; of a control cycle it is two
TIMED = (TAG, "WT-102", "JT-201")
"""Tags whose samples bear the time of their cycle or scan: the control cycle, screening, grinding."""


@dataclass
class Seen:
    """When which count was first seen: by the API's own client, and by those of the display [monotonic s]."""

    api: dict[int, float] = field(default_factory=dict)
    times: dict[str, set[float]] = field(default_factory=lambda: {name: set() for name in TIMED})
    """Of each of ``TIMED``, the times its samples bear [s, UTC]."""
    late_s: list[float] = field(default_factory=list)


def processor_s(pid: int) -> float:
    """Processor time a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def watch_api(on: Stage, seen: Seen) -> None:
    url, headers = on.controller.url.replace("http", "ws") + "/ws/live", console(on.controller._data)
    async with connect(url, additional_headers=headers, proxy=None, max_size=None) as socket:
        async for text in socket:
            tags = json.loads(text)["tags"]
            for name in TIMED:
                if (timed := tags.get(name)) is not None and timed["time"] is not None:
                    seen.times[name].add(datetime.fromisoformat(timed["time"]).timestamp())
            row = tags.get(TAG)
            if row is not None and row["value"] is not None:
                seen.api.setdefault(int(row["value"]), time.monotonic())


async def watch_display(url: str, cookie: str, seen: Seen) -> None:
    headers = {"Cookie": cookie}
    async with connect(url.replace("http", "ws") + "/live", additional_headers=headers, proxy=None) as socket:
        async for text in socket:
            row = json.loads(text).get("set", {}).get(f"t.{TAG}")
            came = time.monotonic()
            if row is not None and row[0] in seen.api:
                seen.late_s.append(came - seen.api[row[0]])


async def deaf(url: str, cookie: str) -> None:
    async with connect(
        url.replace("http", "ws") + "/live", additional_headers={"Cookie": cookie}, proxy=None, max_queue=1
    ):
        await asyncio.Event().wait()


def off_beat(times: Iterable[float]) -> list[float]:
    """How far each time lies from a beat of ``BEAT_S`` that fits them [s]."""
    phases = [one % BEAT_S for one in times]
    turn = 2.0 * math.pi / BEAT_S
    mean = math.atan2(sum(math.sin(turn * p) for p in phases), sum(math.cos(turn * p) for p in phases)) / turn
    return [math.remainder(phase - mean, BEAT_S) for phase in phases]


def percentile(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


async def measured(on: Stage, clients: int, seconds: float) -> dict[str, Any]:
    async with browser_page(on):  # somebody logs in, once; nobody else is sent values
        pass
    [kept] = on.logged_in.values()
    cookie = "; ".join(f"{row['name']}={row['value']}" for row in kept["cookies"])
    seen = Seen()
    tasks = [asyncio.ensure_future(watch_api(on, seen))]
    tasks += [asyncio.ensure_future(watch_display(on.display.url, cookie, seen)) for _ in range(clients)]
    tasks += [asyncio.ensure_future(deaf(on.display.url, cookie))] if clients else []
    while not (all(seen.times[name] for name in TIMED) and (seen.late_s or not clients)):  # every one of them listens
        await asyncio.sleep(BEAT_S)
    seen.late_s.clear()
    for times in seen.times.values():
        times.clear()
    pids = {"display": on.display.process.pid, "controller": on.controller.process.pid}
    before = {name: processor_s(pid) for name, pid in pids.items()}
    stations = (await on.controller.ask("GET", "/status")).json()["stations"]
    began = time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    after = (await on.controller.ask("GET", "/status")).json()["stations"]
    found: dict[str, Any] = {"clients": clients}
    for name, pid in pids.items():
        found[f"{name}_cpu_pct"] = round(100 * (processor_s(pid) - before[name]) / took, 1)
    found["scans"] = sum(after[s]["scans"] - stations[s]["scans"] for s in stations)
    found["missed"] = sum(after[s]["missed"] - stations[s]["missed"] for s in stations)
    for task in tasks:
        if task.done():
            task.result()  # one that was refused or let go measures nothing
    jitter = sorted(abs(one) for times in seen.times.values() for one in off_beat(times))
    found |= {f"jitter_p{p}_ms": round(1000 * percentile(jitter, p)) for p in (50, 99)}
    late = sorted(seen.late_s)
    if late:
        found |= {f"late_p{p}_ms": round(1000 * percentile(late, p)) for p in (50, 95, 99)}
    for task in tasks:
        task.cancel()
    with contextlib.suppress(Exception):
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def main(clients: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        async with stage(Path(scratch), SPEED) as on:
            await until_ready(on)
            for count in (0, clients, 0):
                print(json.dumps(await measured(on, count, seconds)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=20.0)
    wish = parser.parse_args()
    asyncio.run(main(wish.clients, wish.seconds))
