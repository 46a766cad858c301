"""Where a run's material went: nothing is lost between what goes into a place and what leaves it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.analysis.flows import Flow, run_flows

KG = st.floats(1.0, 1e4)
SHARE = st.floats(0.01, 0.99)


def record(kg: dict[str, float | None], **balances: str) -> dict[str, Any]:
    rows = {name: {"reconciled": value} for name, value in kg.items()}
    return {"streams": rows, "inputs": {"balances": {k.replace("__", ", "): text for k, text in balances.items()}}}


@given(a=KG, b=KG, water=SHARE, split=SHARE)
def test_what_goes_in_comes_out_of_every_place(a: float, b: float, water: float, split: float) -> None:
    milled = a + b
    cake = milled * split
    dry = cake * (1.0 - water)
    kg = {"a": a, "b": b, "milled": milled, "pulp": milled - cake, "cake": cake, "cake.water": water}
    kg |= {"powder": 1.1 * dry, "powder.water": 0.1 / 1.1, "vapour": cake * water - 0.1 * dry}
    found = run_flows(
        record(
            kg,
            mass__mill="a + b = milled",
            mass__sieve="milled = pulp + cake",
            solids__dryer="cake * (1 - cake.water) = powder * (1 - powder.water)",
            water__dryer="cake * cake.water = powder * powder.water + vapour",
        )
    )
    assert set(found) == {"mass", "solids", "water"}
    places = {"mill", "sieve", "dryer"}
    assert {p for f in found["mass"] for p in (f.source, f.target) if p} == places
    for flows in found.values():
        for place in places:
            into = sum(f.kg for f in flows if f.target == place)
            out_of = sum(f.kg for f in flows if f.source == place)
            assert into == pytest.approx(out_of, rel=1e-6, abs=1e-6)
    assert Flow("milled", "mill", "sieve", pytest.approx(milled)) in found["mass"]
    assert Flow("cake", "sieve", "dryer", pytest.approx(cake)) in found["mass"]
    assert all(f.kg > 0.0 for flows in found.values() for f in flows)


def test_a_stream_that_is_taken_from_flows_the_other_way() -> None:
    found = run_flows(record({"fed": 3.0, "left": -2.0, "out": 5.0}, mass__tank="fed = out + left"))
    assert Flow("left", "", "tank", 2.0) in found["mass"]


def test_what_is_not_known_or_of_no_place_is_left_out() -> None:
    kg = {"a": 1.0, "b": None}
    assert run_flows(record(kg, mass__mill="a = b", total="a = a")) == {}
    assert run_flows({"inputs": {"balances": {"mass, mill": "a = b"}}, "refused": "why"}) == {}
