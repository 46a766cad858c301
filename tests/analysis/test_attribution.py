"""The difference of two runs is split over the steps: exactly, without regard to order, and honestly uncertain."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest
from balance_rig import inputs_of, laboratory, record_of, truth, with_value
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.analysis.attribution import UNACCOUNTED, Attribution, CannotAttribute, attribute
from linecontrol.analysis.run_balance import NONE, Inputs

RUNS = st.fixed_dictionaries(
    {
        "roots": st.floats(50.0, 2000.0),
        "starch": st.floats(0.1, 0.3),
        "bound": st.floats(0.0, 0.2),
        "free": st.floats(0.0, 0.1),
        "lost": st.floats(0.0, 0.2),
    }
)


def parts(found: Attribution) -> dict[str, float]:
    return {step.name: step.part.value for step in found.steps}


@settings(deadline=None)
@given(RUNS, RUNS, st.integers(0, 1000))
def test_the_parts_sum_exactly_and_change_sign_with_the_runs(
    a: dict[str, float], b: dict[str, float], seed: int
) -> None:
    rng = random.Random(seed)
    one, other = (_quick(inputs_of(truth(**run), rng)) for run in (a, b))
    there, back = attribute(one, other), attribute(other, one)
    scale = there.powder_a.value + there.powder_b.value
    assert math.fsum(parts(there).values()) == pytest.approx(there.difference.value, abs=1e-12 * scale)
    assert there.difference.value == pytest.approx(there.powder_b.value - there.powder_a.value, abs=1e-12 * scale)
    for name, kg in parts(back).items():
        assert kg == pytest.approx(-parts(there)[name], abs=1e-9 * scale)
    product_a = math.prod(step.a for step in there.steps)
    assert product_a == pytest.approx(there.powder_a.value, rel=1e-9), "the factors make the powder"


def test_a_run_differs_in_nothing_from_itself() -> None:
    record = record_of(inputs_of(truth()))
    assert all(abs(kg) < 1e-9 for kg in parts(attribute(record, record)).values())


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"roots": 330.0}, "roots"),
        ({"starch": 0.19}, "root_starch"),
        ({"bound": 0.09}, "liberation"),
        ({"free": 0.04}, "washing"),
        ({"lost": 0.09}, "concentrating"),
    ],
)
def test_what_was_changed_is_what_is_named(change: dict[str, float], step: str) -> None:
    runs = [truth(), truth(**change)]
    found = attribute(*(record_of(inputs_of(run), laboratory(run)) for run in runs))
    kg = parts(found)
    # a later step starts from less starch, so the same kilograms lost there are a larger share of it
    assert kg[step] == pytest.approx(found.difference.value, rel=0.07)
    assert all(abs(other) < 0.07 * abs(found.difference.value) for name, other in kg.items() if name != step)


def test_the_uncertainties_are_those_of_drawn_errors() -> None:
    """First order against 200 drawn pairs of runs; each instrument keeps its error from the first to the second."""
    runs = [truth(), truth(starch=0.2, bound=0.06, lost=0.06)]
    rng = random.Random(11)
    right = parts(attribute(*(record_of(inputs_of(run)) for run in runs)))
    drawn: dict[str, list[float]] = {name: [] for name in right}
    spread: dict[str, float] = {}
    for _ in range(200):
        kept = {name: rng.gauss(0.0, 1.0) for name in ("WT-102", "AT-106", "WQ-208", "FQ-212", "WT-313", "MT-306")}
        found = attribute(*(_quick(inputs_of(run, rng, kept)) for run in runs))
        for step in found.steps:
            drawn[step.name].append(step.part.value)
            spread[step.name] = step.part.u
    for name, values in drawn.items():
        sd = statistics.stdev(values)
        assert spread[name] == pytest.approx(sd, rel=0.2, abs=1e-4), name
        assert statistics.fmean(values) == pytest.approx(right[name], abs=0.3 * sd + 1e-3), name


def _quick(inputs: Inputs) -> dict[str, Any]:
    """A record with its inputs alone, which is all that is asked of it."""
    return {"run_id": "x", "balance": {"inputs": inputs.to_dict(), "laboratory": []}}


def test_a_step_that_one_run_does_not_know_is_left_to_the_unaccounted() -> None:
    blind = inputs_of(truth())
    for name in ("pulp.bound", "pulp.free"):
        blind = with_value(blind, name, value=None, u=None, kind=NONE)
    found = attribute(record_of(inputs_of(truth())), record_of(blind))
    assert found.left_out == ("liberation", "washing"), "their sum is known by the balance, and so is what comes after"
    assert found.steps[-1].name == UNACCOUNTED
    assert math.fsum(parts(found).values()) == pytest.approx(found.difference.value, abs=1e-9)


def test_what_cannot_be_compared_is_refused() -> None:
    whole = record_of(inputs_of(truth()))
    with pytest.raises(CannotAttribute, match="old has no balance"):
        attribute({"run_id": "old"}, whole)
    empty = with_value(inputs_of(truth()), "good", value=0.0, u=0.0)
    with pytest.raises(CannotAttribute, match="made no good powder"):
        attribute(whole, record_of(empty))
