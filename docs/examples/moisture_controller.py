"""The moisture controller off the line, on a plant of your own.

    python docs/examples/moisture_controller.py [--hours 2] [--mode predictive]

``plant(inlet_sp_c)`` is all it needs to know of a dryer: it takes the next inlet set point and returns what
the instruments show after it. The one below is a toy in twenty lines; put yours in its place.
"""

import argparse
import math
import random
from collections.abc import Callable

from linecontrol.control.moisture import CannotCommission, MoistureController, MoistureMode, MoistureSample

SCAN_S = 2.0
SET_POINT = 13.0  # % wb


def toy_plant(seed: int) -> Callable[[float], dict[str, float]]:
    """A dryer: heater lag 90 s, 44 s of conveyor to the meter, a load that swings, noise on everything."""
    rng = random.Random(seed)
    inlet_c, powder, swing, drift = 125.0, SET_POINT, 0.0, 0.0
    conveyor = [SET_POINT] * 22

    def step(inlet_sp_c: float) -> dict[str, float]:
        nonlocal inlet_c, powder, swing, drift
        inlet_c += (inlet_sp_c - inlet_c) * (1.0 - math.exp(-SCAN_S / 90.0))
        swing = 0.998 * swing + 0.1 * rng.gauss(0.0, 1.0)
        drift = 0.999 * drift + 0.3 * rng.gauss(0.0, 1.0)
        cake, feed = 39.0 + swing, 300.0 + drift
        settles = SET_POINT - 0.12 * (inlet_c - 125.0) + 0.7 * (cake - 39.0) + 0.03 * (feed - 300.0)
        powder += (settles - powder) * (1.0 - math.exp(-SCAN_S / 30.0))
        conveyor.append(powder)
        outlet_c = 55.0 + 0.6 * (inlet_c - 125.0) - 2.0 * (cake - 39.0) - 0.1 * (feed - 300.0)
        return {
            "inlet_sp_c": inlet_sp_c,
            "inlet_c": inlet_c + rng.gauss(0.0, 0.2),
            "outlet_c": outlet_c + rng.gauss(0.0, 0.2),
            "moisture_pct_wb": conveyor.pop(0) + rng.gauss(0.0, 0.2),
            "cake_pct_wb": cake + rng.gauss(0.0, 0.2),
            "feed_kg_h": feed + rng.gauss(0.0, 3.0),
        }

    return step


def record(plant: Callable[[float], dict[str, float]], hours: float = 3.0) -> dict[str, list[float]]:
    """Normal running with one step of 8 K, held for 40 minutes: what commissioning asks for."""
    columns: dict[str, list[float]] = {"time_s": []}
    for scan in range(int(hours * 3600.0 / SCAN_S)):
        t_s = scan * SCAN_S
        row = plant(133.0 if 5400.0 <= t_s < 7800.0 else 125.0)
        columns["time_s"].append(t_s)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return columns


def run(plant: Callable[[float], dict[str, float]], controller: MoistureController | None, hours: float) -> float:
    """Root mean square of what the meter shows against the set point [% wb]."""
    inlet_sp_c, squares, scans = 125.0, 0.0, int(hours * 3600.0 / SCAN_S)
    for _ in range(scans):
        row = plant(inlet_sp_c)
        squares += (row["moisture_pct_wb"] - SET_POINT) ** 2
        if controller is not None:
            out = controller.step(MoistureSample(**row), SCAN_S)
            inlet_sp_c = out.inlet_sp_c
            for event in out.events:
                print(f"  {event}: moisture {out.estimate_pct_wb:.2f} ± {out.estimate_u_pct:.2f} % wb")
    return math.sqrt(squares / scans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--mode", choices=[mode.value for mode in MoistureMode], default="predictive")
    options = parser.parse_args()
    try:
        controller = MoistureController.commission(
            record(toy_plant(1)), set_point=SET_POINT, mode=MoistureMode(options.mode)
        )
    except CannotCommission as refusal:
        raise SystemExit(f"not commissioned ({refusal.code}): {refusal.reason}") from None
    gain, sd = controller.model.moisture.gain("heat")
    print(f"gain {gain:.3f} ± {sd:.3f} % wb per K of inlet air")
    for warning in controller.model.warnings:
        print(f"  {warning}")
    print(f"left alone: rms {run(toy_plant(2), None, options.hours):.2f} % wb at the meter (its own noise is 0.20)")
    print(f"{options.mode}: rms {run(toy_plant(2), controller, options.hours):.2f} % wb")


if __name__ == "__main__":
    main()
