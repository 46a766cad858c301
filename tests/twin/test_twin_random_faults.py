"""The campaign of random faults, in short: sixty schedules, three in one run. The long one stands in docs/twin.md."""

from __future__ import annotations

from random import Random

import pytest
from short_run import SHORT

from linecontrol.twin import operators
from linecontrol.twin.campaign import numbered, rows_of
from linecontrol.twin.trial import Trial
from linecontrol.twin.upsets import random_faults

VALUES = {**SHORT.values, "feed_pct": 60.0}  # less starch comes out; what can break is all there
LATEST_S = 1400.0  # such a run is over after 1150 s, unless it is held; nearly all are
RUNS = 20
EACH = 3  # seeds' schedules in one run: as many faults, and more of them at the same time


@pytest.mark.parametrize("first", [1, 6, 11, 16])
@pytest.mark.timeout(400)
def test_sixty_schedules_of_random_faults_breach_nothing(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They begin in every phase from the warm-up to the cool-down, and while the run is held or restarts.

    The operator is back at a held run after one minute rather than two, and gives up after a quarter of an hour, which
    is longer than any fault that passes: what must hold in Held is seen in the first minute.
    """
    monkeypatch.setattr(operators, "RESTART_AFTER_S", 60.0)
    monkeypatch.setattr(operators, "GIVE_UP_AFTER_S", 900.0)
    recipe = "kudzu-lobata-standard"
    trials = numbered(
        [
            Trial(recipe, seed=seed, values=VALUES, watched=True, faults=drawn(*range(seed, EACH * RUNS + 1, RUNS)))
            for seed in range(first, first + 5)
        ]
    )
    for trial, row in zip(trials, rows_of(trials), strict=True):
        assert "error" not in row, row
        assert row["breaches"] == [], f"seed {trial.seed}: {trial.faults}"


def drawn(*seeds: int) -> tuple[str, ...]:
    return tuple(fault for seed in seeds for fault in random_faults(Random(f"{seed}:faults"), LATEST_S))
