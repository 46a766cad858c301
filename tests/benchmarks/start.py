"""Cold start to the first scan, beside the imports no one can avoid.

    python tests/benchmarks/start.py [--json]

Limit: at most 1.2 times the sum of the unavoidable imports (asyncua, pymodbus, SQLAlchemy, FastAPI), measured in the
same run, each in a fresh process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "line"))

IMPORTS = "import asyncua, pymodbus.client, sqlalchemy, alembic.command, fastapi, uvicorn, pydantic, yaml, httpx"


def import_seconds() -> float:
    start = time.perf_counter()
    subprocess.check_call([sys.executable, "-c", IMPORTS])
    return time.perf_counter() - start


async def start_seconds(endpoints: dict[str, str], folder: Path) -> float:
    """From the start of the process to its first answered scan of all three stations."""
    from line_rig import line_file

    line = line_file(folder, endpoints)
    code = f"""
import asyncio
from pathlib import Path
from linecontrol.config import read_line
from linecontrol.line.assembly import assemble
import linecontrol.api.app, linecontrol.cli.commands
async def main():
    line = assemble(read_line({str(line)!r}), data=Path({str(folder)!r}) / "data")
    async with line:
        while not all(station.scans for station in line.stations.values()):
            await asyncio.sleep(0.002)
        print("scanned", flush=True)
asyncio.run(main())
"""
    start = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    taken = time.perf_counter() - start
    await process.wait()
    return taken


async def measure(rounds: int) -> dict[str, object]:
    from line_rig import simulator

    ours, imports = [], []
    async with simulator(1.0) as sim:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                imports.append(import_seconds())
                ours.append(await start_seconds(sim.endpoints, Path(folder)))
    ratios = [a / b for a, b in zip(ours, imports, strict=True)]
    return {"start_s": ours, "imports_s": imports, "ratio": statistics.median(ratios), "ratios": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.rounds))
    if options.json:
        print(json.dumps(found))
        return
    ours, imports, ratios = found["start_s"], found["imports_s"], found["ratios"]
    assert isinstance(ours, list)
    assert isinstance(imports, list)
    assert isinstance(ratios, list)
    ratio = float(str(found["ratio"]))
    print(f"start to first scan of three stations: {statistics.median(ours):.2f} s (new database)")
    print(f"unavoidable imports:                   {statistics.median(imports):.2f} s")
    span = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"ratio {ratio:.2f} ({span}), limit 1.2: {'PASS' if ratio <= 1.2 else 'FAIL'}")


if __name__ == "__main__":
    main()
