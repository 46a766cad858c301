"""The balance of a run: what it is made of, what the laboratory changes, and what can be said of it."""

from __future__ import annotations

import json
import math
import random

import pytest
from balance_rig import inputs_of, laboratory, record_of, truth, with_value

from linecontrol.analysis.footprint import Use, footprint
from linecontrol.analysis.run_balance import (
    NONE,
    Input,
    Inputs,
    LabValue,
    balance_record,
    flowsheet_of,
    with_laboratory,
)
from linecontrol.analysis.run_sums import sums_for
from linecontrol.config.balance import BalanceStream
from linecontrol.core.model import Sample, Status

TRUE = truth()
RIGHT = TRUE["good"] * (1 - TRUE["good.water"]) * TRUE["good.purity"] / (TRUE["roots"] * TRUE["roots.starch"])


def test_inputs_survive_the_record() -> None:
    inputs = inputs_of(TRUE)
    again = Inputs.from_dict(json.loads(json.dumps(inputs.to_dict())))
    assert again == inputs
    assert balance_record(again) == balance_record(inputs)


def test_without_errors_nothing_is_changed() -> None:
    record = record_of(inputs_of(TRUE))
    assert record["extraction_yield_reconciled"] == pytest.approx(RIGHT, abs=1e-5)
    assert record["extraction_yield_low_95"] < RIGHT < record["extraction_yield_high_95"]
    assert "No gross error is seen" in record["balance"]["statement"]
    assert record["balance"]["streams"]["pulp.bound"]["kind"] == "assumed"


def test_the_laboratory_narrows_the_yield() -> None:
    before, after = record_of(inputs_of(TRUE)), record_of(inputs_of(TRUE), laboratory(TRUE))
    assert after["extraction_yield_reconciled_u"] < 0.6 * before["extraction_yield_reconciled_u"]
    streams = after["balance"]["streams"]
    assert streams["pulp.bound"]["kind"] == "laboratory"
    assert streams["pulp.bound"]["source"] == "L-PULP-BOUND"
    assert after["balance"]["global_test"]["dof"] == before["balance"]["global_test"]["dof"] + 1
    # the analyser and the laboratory stand side by side, and must agree
    assert streams["roots.starch_lab"]["reconciled"] == pytest.approx(streams["roots.starch"]["reconciled"])


def test_values_of_one_sample_are_weighed() -> None:
    rows = [LabValue("a", "PULP-BOUND", 0.02, 0.001), LabValue("b", "PULP-BOUND", 0.03, 0.002)]
    found = with_laboratory(inputs_of(TRUE), rows).rows["pulp.bound"]
    assert found.value == pytest.approx((0.02 / 1 + 0.03 / 4) / (1 + 1 / 4))
    assert found.u == pytest.approx(0.001 / math.sqrt(1.25))


def test_checks_of_a_meter_move_its_mean_by_their_mean_difference() -> None:
    rows = [
        LabValue("a", "MT-306", 0.125, 0.001, 0.002, meter=0.128),
        LabValue("b", "MT-306", 0.126, 0.001, 0.002, 0.130),
    ]
    used = with_laboratory(inputs_of(TRUE), rows)
    found = used.rows["good.water_lab"]
    assert found.value == pytest.approx(0.128 - 0.0035)
    assert found.u == pytest.approx(math.hypot(0.001, 0.002) / math.sqrt(2))
    assert used.rows["good.water"].value == TRUE["good.water"], "what the meter measured stays on record"


def test_an_analyser_that_is_far_off_is_named_once_the_laboratory_has_spoken() -> None:
    off = with_value(inputs_of(TRUE), "roots.starch", value=TRUE["roots.starch"] * 1.25)
    gross = record_of(off, laboratory(TRUE))["balance"]["gross_error"]
    assert gross["found"]
    assert gross["suspects"][0]["names"][0] == "roots.starch"
    alone = record_of(off)["balance"]
    assert alone["gross_error"]["found"]
    assert "cannot be told apart" in alone["statement"]
    assert "Not measured in this run but assumed" in alone["statement"]


def test_no_redundancy_is_said() -> None:
    unknown = with_value(inputs_of(TRUE), "drain.starch", value=None, u=None, kind=NONE)
    balance = record_of(unknown)["balance"]
    assert balance["global_test"]["dof"] == 0
    assert balance["statement"].startswith("No test was possible: there is no redundancy")
    assert not balance["gross_error"]["found"]


def test_what_contradicts_itself_is_refused_with_the_reason() -> None:
    rows = {name: Input(row.value, 0.0, "meter") for name, row in inputs_of(TRUE).rows.items()}
    off = with_value(Inputs(rows, inputs_of(TRUE).balances, "good / roots", "good"), "roots", value=400.0)
    record = record_of(off)
    assert record["extraction_yield_reconciled"] is None
    assert "may contradict each other" in record["balance"]["refused"]


def test_one_instrument_errs_once() -> None:
    rows = {**inputs_of(TRUE).rows, "rework": Input(2.0, 0.006, "meter", instrument="WT-313")}
    sheet = flowsheet_of(Inputs(rows, inputs_of(TRUE).balances, "good / roots", "good"))
    assert sheet.correlations == {("good", "rework"): 1.0}


def test_the_yields_interval_covers() -> None:
    rng, hits, n = random.Random(5), 0, 100
    for _ in range(n):
        true = truth(starch=rng.uniform(0.14, 0.24), bound=rng.uniform(0.03, 0.08), lost=rng.uniform(0.03, 0.07))
        right = true["good"] * (1 - true["good.water"]) * true["good.purity"] / (true["roots"] * true["roots.starch"])
        record = record_of(inputs_of(true, rng), laboratory(true, rng))
        hits += record["extraction_yield_low_95"] <= right <= record["extraction_yield_high_95"]
    assert hits >= 0.90 * n  # 95 % expected, less 2.3 standard deviations


def test_sums_follow_counters_weights_and_means_by_mass_across_a_restart() -> None:
    title = {"en": "x", "zh": "x"}
    streams = {
        "cake": BalanceStream(title=title, totals=("WQ",), u_pct=1.0),
        "held": BalanceStream(title=title, change="WT", u=1.0),
    }
    rows = {name: (stream, ("MT",) if name == "cake" else ()) for name, stream in streams.items()}
    sums = sums_for(rows, ("JQ",))
    assert sums.tags == ("WQ", "JQ", "WT", "MT")

    def look(total: float, weight: float, moisture: float | None) -> None:
        values = {"WQ": total, "WT": weight, "MT": moisture, "JQ": 2.0 * total}
        status = {True: Status.BAD_SENSOR_FAILURE, False: Status.GOOD}
        sums.advance({name: Sample(v, status[v is None], 0.0) for name, v in values.items()})

    assert sums.mean(("WQ",), "MT") is None
    look(100.0, 5.0, 40.0)
    look(110.0, 9.0, 40.0)
    look(140.0, 8.0, None)  # the meter is away: what it showed last holds
    kept = json.loads(json.dumps(sums.to_dict()))
    sums = sums_for(rows, ("JQ",))
    sums.restore(kept)
    look(150.0, 7.0, 36.0)
    assert sums.total("WQ") == 50.0
    assert sums.total("JQ") == 100.0
    assert sums.change("WT") == 2.0
    assert sums.mean(("WQ",), "MT") == pytest.approx((40.0 * 40.0 + 10.0 * 36.0) / 50.0)
    assert sums.total("XX") is None


def test_what_a_kilogram_took() -> None:
    electricity = Use("electricity", {"A": (60.0, 1.0), "B": (40.0, -1.0)}, 0.01, 0.7, 0.5)
    fuel = Use("fuel", {"B": (40.0, 1.0)}, 0.01, 0.4, 0.2)
    water = Use("water", {"W": (3.0, 1.0)}, 0.01, 4.0, 0.3)
    found = footprint([electricity, fuel], water, 50.0, 0.003, "CNY")
    assert found["energy_kwh_per_kg"] == pytest.approx(60.0 / 50.0)
    # B counts for fuel and against electricity: for their sum its error does not matter
    assert found["energy_kwh_per_kg_u"] == pytest.approx(1.2 * math.hypot(0.01, 0.003), abs=1e-4)
    assert found["water_l_per_kg"] == pytest.approx(60.0)
    assert found["co2_kg"] == pytest.approx(20.0 * 0.5 + 40.0 * 0.2 + 3.0 * 0.3)
    assert found["cost_per_kg"] == pytest.approx((20.0 * 0.7 + 40.0 * 0.4 + 3.0 * 4.0) / 50.0)
    assert footprint([electricity, fuel], water, 0.0, 0.003, "CNY")["energy_kwh_per_kg"] is None
