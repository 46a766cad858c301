"""Trouble on the twin: no bad powder leaves in a good bag that nothing holds, and without its guard it does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from linecontrol.core.errors import ConfigError
from linecontrol.history import DeviationRow
from linecontrol.twin.powder import Packet, verdict
from linecontrol.twin.trial import EPOCH, Outcome, Trial, line_at_step, run_trial
from linecontrol.twin.unguarded import guards_of, without

RECIPE = "kudzu-lobata-standard"
METAL = "metal-shower:packing@1750+15"


def shift(*faults: str, without: Sequence[str] = ()) -> Outcome:
    trial = Trial(
        RECIPE, seed=3, values={"root_kg": 100.0}, faults=faults, powder=True, policy="checks", without=without
    )
    return run_trial(trial)


def kept(outcome: Outcome) -> list[DeviationRow]:
    assert outcome.kept is not None
    return list(outcome.kept.deviations.values())


def test_metal_is_kept_out_of_the_bags_that_leave() -> None:
    guarded = shift(METAL, "burner-trip:heater@2100+120")
    assert guarded.record["state"] == "Complete"
    found = verdict(guarded.powder, kept(guarded))
    assert found["bad_released"] == 0.0
    assert found["bad_diverted"] + found["bad_held"] > 0.1
    metal = next(row for row in kept(guarded) if row.ccp == "CCP2-metal")
    assert metal.value > 100.0
    assert metal.state == "open"
    assert metal.text_zh.startswith("金属探测信号 QT-321 = ")
    passed = [row for row in guarded.kept.calibrations.values() if row.result == "passed"] if guarded.kept else []
    assert passed
    assert metal.since == pytest.approx(min(row.done for row in passed if row.item == "METAL-TEST"), abs=1.0)
    assert guarded.record["deviations"] == len(kept(guarded))
    assert guarded.record["spoilage"]["good_kg"] == pytest.approx(guarded.record["powder_kg"], rel=0.02)


def test_without_the_detector_it_goes_out() -> None:
    found = verdict((bare := shift(METAL, without=["CCP2-metal"])).powder, kept(bare))
    assert found["bad_released_metal"] > 0.05


def test_powder_is_judged_by_where_it_fell_and_by_what_holds_it() -> None:
    packets = [
        Packet(EPOCH, "good", 1.0, ""),
        Packet(EPOCH + 100.0, "good", 2.0, "wet"),
        Packet(EPOCH + 100.0, "good", 4.0, ""),
        Packet(EPOCH + 110.0, "rework", 8.0, "wet+metal"),
        Packet(EPOCH + 900.0, "good", 16.0, "metal"),
    ]
    row = DeviationRow(
        "D1", "r", "CCP1", "ccp", "packing", EPOCH + 50.0, EPOCH + 60.0, EPOCH + 70.0,
        15.0, 14.0, "% wb", "wet", "湿", "a", "b", "operator",
    )  # fmt: skip
    found = verdict(packets, [row])
    assert (found["bad_held"], found["good_held"], found["bad_diverted"]) == (2.0, 4.0, 8.0)
    assert (found["bad_released"], found["bad_released_metal"], found["good_released"]) == (16.0, 16.0, 1.0)


def test_a_guard_that_is_not_there_cannot_be_taken_away() -> None:
    config = line_at_step("demo")
    with pytest.raises(ConfigError, match="IL-999: is no guard of this line"):
        without(config, ["IL-999"])
    bare = without(config, guards_of(config))
    assert bare.line.guard is not None
    assert not bare.line.guard.critical_limits
    assert not any(station.profile.interlocks for station in bare.stations.values())
    assert without(config, []) is config
