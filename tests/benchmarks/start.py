"""Cold start to the first scan, beside the imports no one can avoid.

    python tests/benchmarks/start.py [--json]

From the start of `linecontrol serve`, its database new, to the word that its three stations answered their first scan.
Limit: at most 1.2 times the sum of the unavoidable imports (asyncua, pymodbus, SQLAlchemy and alembic, pydantic, YAML,
numpy, FastAPI), measured in the same run, each in a fresh process. The API is loaded after the first scan: the ratio to
the imports without it is printed too, for who does not count them. No limit holds for that one.
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

LINE = "import asyncua, pymodbus.client, sqlalchemy, alembic.command, pydantic, yaml, numpy"
ALL = f"{LINE}, fastapi, uvicorn, httpx"


def import_seconds(modules: str) -> float:
    start = time.perf_counter()
    subprocess.check_call([sys.executable, "-c", modules])
    return time.perf_counter() - start


async def start_seconds(endpoints: dict[str, str], folder: Path) -> float:
    """From the start of the process to the first answered scan of all three stations."""
    from line_rig import line_file

    line = line_file(folder, endpoints)
    words = ("serve", "--line", str(line), "--data", str(folder / "data"), "--port", "0")
    start = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "linecontrol", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    missing = len(endpoints)
    while missing:
        row = await process.stdout.readline()
        if not row:
            raise SystemExit("the controller ended before it scanned")
        missing -= b": connected." in row
    taken = time.perf_counter() - start
    process.terminate()
    await process.communicate()
    return taken


async def measure(rounds: int) -> dict[str, object]:
    from line_rig import simulator

    ours, imports, without_api = [], [], []
    async with simulator(1.0) as sim:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                imports.append(import_seconds(ALL))
                without_api.append(import_seconds(LINE))
                ours.append(await start_seconds(sim.endpoints, Path(folder)))
    ratios = [a / b for a, b in zip(ours, imports, strict=True)]
    return {
        "start_s": ours,
        "imports_s": imports,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "ratio_without_api": statistics.median(a / b for a, b in zip(ours, without_api, strict=True)),
    }


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
    print(f"ratio to them without the API's: {found['ratio_without_api']:.2f}")
    span = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"ratio {ratio:.2f} ({span}), limit 1.2: {'PASS' if ratio <= 1.2 else 'FAIL'}")


if __name__ == "__main__":
    main()
