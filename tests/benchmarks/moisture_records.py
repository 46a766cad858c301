"""Records as people bring them, and what commissioning makes of each: accepted or refused, and how far off the gain is.

    python tests/benchmarks/moisture_records.py [--seeds 4] [--kind family]

"gain/true" is the found gain of the settled moisture per kelvin over that of the noise-free dryer (30 minutes after a
step), "sds" how many of its own standard deviations lie between. A record that cannot tell should be refused; one that
can should be taken whatever form it came in.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))
from moisture_runs import KINDS, Bench, record

from linecontrol.control.moisture import CannotCommission, commission

Columns = dict[str, NDArray[np.float64]]
OPTIONAL = ("inlet_c", "outlet_c", "product_c", "cake_pct_wb", "feed_kg_h", "ambient_c", "ambient_rh_pct")


def _without(*names: str) -> Callable[[Columns], Columns]:
    return lambda columns: {name: values for name, values in columns.items() if name not in names}


def _some(columns: Columns, keep: NDArray[np.bool_]) -> Columns:
    return {name: values[keep] for name, values in columns.items()}


def _cut(start_h: float, end_h: float) -> Callable[[Columns], Columns]:
    return lambda c: _some(c, (c["time_s"] >= start_h * 3600.0) & (c["time_s"] < end_h * 3600.0))


def _holes(columns: Columns) -> Columns:
    """A tenth of all cells missing at random, and a hole of five minutes in each signal."""
    rng = np.random.default_rng(5)
    found = {"time_s": columns["time_s"]}
    for name, values in columns.items():
        if name != "time_s":
            values = values.copy()
            values[rng.random(len(values)) < 0.1] = np.nan
            at = int(rng.uniform(0.2, 0.8) * len(values))
            values[at : at + int(300.0 / (columns["time_s"][1] - columns["time_s"][0]))] = np.nan
            found[name] = values
    return found


def _stuck(columns: Columns) -> Columns:
    """The meter stands for half an hour, not where the step is."""
    values = columns["moisture_pct_wb"].copy()
    at = (columns["time_s"] > 0.7 * columns["time_s"][-1]) & (columns["time_s"] < 0.7 * columns["time_s"][-1] + 1800.0)
    values[at] = values[np.argmax(at)]
    return columns | {"moisture_pct_wb": values}


def _stuck_in_step(columns: Columns) -> Columns:
    """The meter stands while the step is held: nothing can be told."""
    values, sp = columns["moisture_pct_wb"].copy(), columns["inlet_sp_c"]
    at = np.flatnonzero(sp > np.median(sp) + 2.0)
    values[at[0] - 30 : at[-1] + 300] = values[at[0] - 30]
    return columns | {"moisture_pct_wb": values}


def _uneven(columns: Columns) -> Columns:
    """Samples at odd times: nine in ten kept."""
    return _some(columns, np.random.default_rng(3).random(len(columns["time_s"])) < 0.9)


def _slow(columns: Columns) -> Columns:
    """One sample in ten seconds."""
    each = max(1, round(10.0 / (columns["time_s"][1] - columns["time_s"][0])))
    return {name: values[::each] for name, values in columns.items()}


def _spikes(columns: Columns) -> Columns:
    """A wild reading of the meter now and then."""
    rng = np.random.default_rng(4)
    values = columns["moisture_pct_wb"].copy()
    wild = rng.random(len(values)) < 0.003
    values[wild] = rng.uniform(0.0, 25.0, int(np.sum(wild)))
    return columns | {"moisture_pct_wb": values}


def _wrong_way(columns: Columns) -> Columns:
    """The load is changed together with the set point: nobody told the operator not to."""
    sp = columns["inlet_sp_c"]
    return columns | {"moisture_pct_wb": columns["moisture_pct_wb"] + 0.4 * (sp - np.median(sp))}


def _meter_of_old(columns: Columns) -> Columns:
    """The meter answers three times before it measures anew."""
    each = np.arange(len(columns["time_s"])) // 3 * 3
    return columns | {"moisture_pct_wb": columns["moisture_pct_wb"][each]}


CASES: dict[str, tuple[str, Callable[[Columns], Columns]]] = {
    "as it is": ("take", lambda c: c),
    "time from 1.7e9 s": ("take", lambda c: c | {"time_s": c["time_s"] + 1.7e9}),
    "samples at odd times": ("take", _uneven),
    "every 10 s": ("take", _slow),
    "holes, NaN": ("take", _holes),
    "spikes": ("take", _spikes),
    "meter repeats thrice": ("take", _meter_of_old),
    "stuck for half an hour": ("take", _stuck),
    "no cake": ("take", _without("cake_pct_wb")),
    "no feed": ("take", _without("feed_kg_h")),
    "no outlet, no product": ("take", _without("outlet_c", "product_c")),
    "no ambient": ("take", _without("ambient_c", "ambient_rh_pct")),
    "no inlet": ("take", _without("inlet_c")),
    "only what is required": ("take", _without(*OPTIONAL)),
    "1.5 h round the step": ("take", _cut(1.2, 2.7)),
    "half an hour": ("refuse", _cut(1.5, 2.0)),
    "no step": ("refuse", lambda c: c | {"inlet_sp_c": np.full_like(c["inlet_sp_c"], np.median(c["inlet_sp_c"]))}),
    "stuck through the step": ("refuse", _stuck_in_step),
    "load changed with the step": ("refuse", _wrong_way),
    "moisture in fractions": ("refuse", lambda c: c | {"moisture_pct_wb": c["moisture_pct_wb"] / 100.0}),
    "all NaN": ("refuse", lambda c: c | {"moisture_pct_wb": np.full_like(c["moisture_pct_wb"], np.nan)}),
}


def true_gain(bench: Bench) -> float:
    """Of the noise-free dryer, half an hour after a step of 2 K [% wb/K]."""
    ends = []
    for heat_k in (-2.0, 2.0):
        rig = bench.fresh(1).quiet()
        ends.append([rig.advance(rig.inlet_c + heat_k).true_pct for _ in range(int(1800 / rig.sample_s))][-1])
    return (ends[1] - ends[0]) / 4.0


def as_csv(columns: Columns, folder: Path) -> Path:
    """Columns in another order, unknown ones among them, a quality for the meter, bad cells as people write them."""
    path = folder / "record.csv"
    names = sorted(columns, reverse=True)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["shift", *names, "moisture_pct_wb_quality"])
        for k in range(len(columns["time_s"])):
            bad = k % 97 == 0
            cells = ["99" if bad and name == "moisture_pct_wb" else repr(float(columns[name][k])) for name in names]
            writer.writerow([1, *cells, "BAD" if bad else "Good"])
    return path


def told(name: str, wanted: str, gain: float, source: Columns | Path) -> bool:
    """Print one case; True when it went as it should."""
    began = time.process_time()
    try:
        model = commission(source)
    except CannotCommission as refused:
        print(f"  {name:28}{wanted:8}refused {refused.code}: {str(refused)[:110]}")
        return wanted == "refuse"
    found, sd = model.moisture.gain("heat")
    right = wanted == "take" and 0.7 < found / gain < 1.4
    print(f"  {name:28}{wanted:8}gain/true {found / gain:5.2f}  sds {abs(found - gain) / sd:5.1f}"
          f"  {time.process_time() - began:4.1f} s  {'' if right else 'WRONG '}"
          f"{'; '.join(w[:60] for w in model.warnings)}")  # fmt: skip
    return right


def cases_of(bench: Bench) -> Iterator[tuple[str, str, Columns]]:
    """Name, what should come of it, record."""
    columns = record(bench.fresh(1))
    for name, (wanted, change) in CASES.items():
        yield name, wanted, change(columns)
    yield "moves by hand", "take", record(bench.fresh(1), style="hand")
    yield "moves by pi", "take", record(bench.fresh(1), style="pi")
    yield "step of 5 K", "take", record(bench.fresh(1), step_k=5.0)
    yield "step of 1 K", "refuse", record(bench.fresh(1), step_k=1.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kind", choices=tuple(KINDS), default="family")
    asked = parser.parse_args()
    went = []
    for seed in range(asked.first, asked.first + asked.seeds):
        bench = KINDS[asked.kind](seed)
        gain = true_gain(bench)
        print(f"{bench.kind} {seed}: true gain {gain:.3f} % wb/K")
        went += [told(name, wanted, gain, columns) for name, wanted, columns in cases_of(bench)]
        with tempfile.TemporaryDirectory() as folder:
            path = as_csv(record(bench.fresh(1)), Path(folder))
            went.append(told("CSV, other order, qualities", "take", gain, path))
    print(f"{sum(went)} of {len(went)} as they should be")
    return 0 if all(went) else 1


if __name__ == "__main__":
    sys.exit(main())
