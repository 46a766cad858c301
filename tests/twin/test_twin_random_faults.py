"""The campaign of random faults, in short: sixty schedules, two in one run. The long one stands in docs/twin.md."""

from __future__ import annotations

from random import Random

import pytest
from short_run import SHORT

from linecontrol.twin.campaign import numbered, rows_of
from linecontrol.twin.trial import Trial
from linecontrol.twin.upsets import random_faults

VALUES = {**SHORT.values, "feed_pct": 60.0}  # less starch comes out; what can break is all there
LATEST_S = 1150.0  # such a run is over soon after, unless it is held


@pytest.mark.parametrize("first", [1, 11, 21])
@pytest.mark.timeout(400)
def test_sixty_schedules_of_random_faults_breach_nothing(first: int) -> None:
    """Two seeds' schedules in one run: as many faults, and more of them at the same time."""
    seeds = range(first, first + 10)
    recipe = "kudzu-lobata-standard"
    trials = numbered(
        [Trial(recipe, seed=seed, values=VALUES, watched=True, faults=drawn(seed, seed + 30)) for seed in seeds]
    )
    for trial, row in zip(trials, rows_of(trials), strict=True):
        assert "error" not in row, row
        assert row["breaches"] == [], f"seed {trial.seed}: {trial.faults}"


def drawn(*seeds: int) -> tuple[str, ...]:
    return tuple(fault for seed in seeds for fault in random_faults(Random(f"{seed}:faults"), LATEST_S))
