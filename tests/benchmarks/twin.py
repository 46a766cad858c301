"""How much faster than real time the twin is, on one core: all of it, the plant alone, the controller alone.

    python tests/benchmarks/twin.py [--rounds 5] [--profile]

The controller alone sees exactly the measurements of the whole twin's first run, replayed, so it does the same work.
Limit: the whole at 1,000 times real time or more. Figures are CPU seconds of this process, so that what else runs on
the machine counts less; rounds are interleaved. A plain loop of additions beside them says how fast the machine is.
"""

from __future__ import annotations

import argparse
import cProfile
import logging
import pstats
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from linecontrol.twin.trial import STEP_S, Outcome, Trial, run_trial
from simulator.plant import Plant

LIMIT = 1000.0
TRIAL = Trial("kudzu-lobata-standard", seed=1)


class RecordedPlant(Plant):
    """A plant that keeps what it was told and what it showed at every step."""

    def __init__(self) -> None:
        super().__init__(seed=TRIAL.seed)
        self.told: list[dict[str, float]] = []
        self.showed: list[dict[str, float]] = []

    def step(self, dt_s: float) -> None:
        self.told.append(dict(self.inputs))
        super().step(dt_s)

    def measure(self) -> dict[str, float]:
        shown = super().measure()
        self.showed.append(shown)
        return shown


class ReplayedPlant(Plant):
    """A plant that does not think: it shows what another one showed."""

    def __init__(self, showed: list[dict[str, float]]) -> None:
        super().__init__(seed=TRIAL.seed)
        self._shown = iter(showed)
        self._last = showed[-1]

    def step(self, dt_s: float) -> None:
        self.time_s += dt_s

    def measure(self) -> dict[str, float]:
        self._last = next(self._shown, self._last)
        return self._last


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds it took, and what it gave."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def plant_alone(told: Sequence[Mapping[str, float]]) -> None:
    plant = Plant(seed=TRIAL.seed)
    for inputs in told:
        plant.inputs.update(inputs)
        plant.step(STEP_S)
        plant.measure()


def plain_loop(additions: int = 2_000_000) -> None:
    """Nothing but the interpreter at work."""
    total = 0
    for n in range(additions):
        total += n


def line(name: str, speeds: list[float]) -> str:
    middle = statistics.median(speeds)
    return f"{name:<22} {middle:7.0f} x real time   ({min(speeds):.0f}..{max(speeds):.0f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    recorded = RecordedPlant()
    first: Outcome = run_trial(TRIAL, recorded)
    whole, plant, controller, loop = [], [], [], []
    for _ in range(options.rounds):
        took_s, outcome = timed(lambda: run_trial(TRIAL))
        if outcome.record != first.record:
            raise SystemExit("the same trial gave another record")
        whole.append(outcome.line_s / took_s)
        took_s, _nothing = timed(lambda: plant_alone(recorded.told))
        plant.append(len(recorded.told) * STEP_S / took_s)
        took_s, replayed = timed(lambda: run_trial(TRIAL, ReplayedPlant(recorded.showed)))
        if replayed.record["powder_kg"] != first.record["powder_kg"]:
            raise SystemExit("the replay went another way")
        controller.append(replayed.line_s / took_s)
        loop.append(2.0 / timed(plain_loop)[0])
    print(f"{first.line_s:.0f} s of line time, steps of {STEP_S:g} s, {options.rounds} rounds")
    print(f"this machine: {statistics.median(loop):.1f} million additions a second in a plain loop")
    print(line("plant alone", plant))
    print(line("controller alone", controller))
    print(line("whole twin", whole))
    reached = statistics.median(whole)
    print(f"{'PASS' if reached >= LIMIT else 'FAIL'}: {reached:.0f} (limit: at least {LIMIT:.0f})")
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(run_trial, TRIAL)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    return 0 if reached >= LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main())
