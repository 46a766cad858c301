"""What the display costs, and how late its browsers are: 0 and 25 clients at 2 Hz beside a running line.

    python tests/benchmarks/display.py [--clients 25] [--seconds 20]

Each client reads the display's WebSocket as a browser does; one more takes the connection and never reads. Told are
the display's and the controller's share of one processor, the scans the stations missed, and how long after the
controller's own feed a new count of its control cycles came to the clients (the tag RUN.CYCLES).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "line"), str(HERE.parent / "hmi"), str(HERE.parents[1])]

from hmi_rig import Stage, browser_page, stage  # noqa: E402
from line_rig import console  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

TAG = "RUN.CYCLES"
SPEED = 1.0


@dataclass
class Seen:
    """When which count was first seen: by the API's own client, and by those of the display [monotonic s]."""

    api: dict[int, float] = field(default_factory=dict)
    late_s: list[float] = field(default_factory=list)


def processor_s(pid: int) -> float:
    """Processor time a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def watch_api(on: Stage, seen: Seen) -> None:
    url, headers = on.controller.url.replace("http", "ws") + "/ws/live", console(on.controller._data)
    async with connect(url, additional_headers=headers, proxy=None, max_size=None) as socket:
        async for text in socket:
            row = json.loads(text)["tags"].get(TAG)
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


async def measured(on: Stage, clients: int, seconds: float) -> dict[str, Any]:
    async with browser_page(on):  # somebody logs in, once; nobody else is sent values
        pass
    [kept] = on.logged_in.values()
    cookie = "; ".join(f"{row['name']}={row['value']}" for row in kept["cookies"])
    seen = Seen()
    tasks = [asyncio.ensure_future(watch_api(on, seen))]
    tasks += [asyncio.ensure_future(watch_display(on.display.url, cookie, seen)) for _ in range(clients)]
    tasks += [asyncio.ensure_future(deaf(on.display.url, cookie))] if clients else []
    await asyncio.sleep(3.0)
    seen.late_s.clear()
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
    late = sorted(seen.late_s)
    if late:
        found |= {f"late_p{p}_ms": round(1000 * late[min(len(late) - 1, len(late) * p // 100)]) for p in (50, 95, 99)}
    for task in tasks:
        task.cancel()
    with contextlib.suppress(Exception):
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def main(clients: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        async with stage(Path(scratch), SPEED) as on:
            await asyncio.sleep(10.0)  # the stations are claimed, the starts are over
            for count in (0, clients, 0):
                print(json.dumps(await measured(on, count, seconds)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=20.0)
    wish = parser.parse_args()
    asyncio.run(main(wish.clients, wish.seconds))
