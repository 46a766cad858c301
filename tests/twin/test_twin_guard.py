"""Trouble on the twin: no bad powder leaves in a good bag that nothing holds, and without its guard it does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from short_run import VALUES as SHORT

from linecontrol.core.errors import ConfigError
from linecontrol.history import BagRow, DeviationRow
from linecontrol.twin.powder import Packet, verdict
from linecontrol.twin.trial import EPOCH, Outcome, Trial, line_at_step, run_trial
from linecontrol.twin.unguarded import guards_of, without

RECIPE = "kudzu-lobata-standard"
VALUES = {**SHORT, "root_kg": 60.0, "centrifuge_runout_s": 420.0}  # dries from 900 s for ten minutes
METAL = "metal-shower:packing@1050+15"


def shift(*faults: str, without: Sequence[str] = ()) -> Outcome:
    trial = Trial(RECIPE, seed=3, values=VALUES, faults=faults, powder=True, policy="checks", without=without)
    return run_trial(trial)


def bags(outcome: Outcome) -> list[BagRow]:
    assert outcome.kept is not None
    return list(outcome.kept.bags.values())


def kept(outcome: Outcome) -> list[DeviationRow]:
    assert outcome.kept is not None
    return list(outcome.kept.deviations.values())


def test_metal_is_kept_out_of_the_bags_that_leave() -> None:
    guarded = shift(METAL, "burner-trip:heater@1250+120", "wet-lot:hopper:8@200")
    assert guarded.record["state"] == "Complete"
    found = verdict(guarded.powder, bags(guarded))
    assert found["bad_released"] == 0.0
    assert found["bad_diverted"] + found["bad_held"] > 0.1
    metal = next(row for row in kept(guarded) if row.ccp == "CCP2-metal")
    assert metal.value > 100.0
    assert metal.state == "open"
    assert metal.text_zh.startswith("金属探测信号 QT-321 = ")
    passed = [row for row in guarded.kept.calibrations.values() if row.result == "passed"] if guarded.kept else []
    assert passed
    assert metal.since == pytest.approx(min(row.done for row in passed if row.item == "METAL-TEST"), abs=1.0)
    assert guarded.kept is not None
    (rain,) = [event for event in guarded.kept.events if event.kind == "lot.tipped"]
    assert rain.data["kg"] == pytest.approx(0.08 * 1500.0, rel=0.05)
    assert "no lot was named for it" in rain.text
    assert guarded.record["deviations"] == len(kept(guarded))
    assert guarded.record["spoilage"]["good_kg"] == pytest.approx(guarded.record["powder_kg"], rel=0.02)


def test_without_the_detector_it_goes_out() -> None:
    found = verdict((bare := shift(METAL, without=["CCP2-metal"])).powder, bags(bare))
    assert found["bad_released_metal"] > 0.05


def test_powder_is_judged_by_where_it_fell_and_by_what_holds_it() -> None:
    packets = [
        Packet(EPOCH, "good", 1.0, "", (1,)),
        Packet(EPOCH + 1.0, "good", 2.0, "wet", (2,)),
        Packet(EPOCH + 2.0, "good", 4.0, "", (2,)),
        Packet(EPOCH + 3.0, "rework", 8.0, "wet+metal"),
        Packet(EPOCH + 4.0, "good", 16.0, "metal", (2, 3)),  # the bag was changed in this step
        Packet(EPOCH + 5.0, "good", 32.0, "specks", (4,)),
    ]
    book = [
        BagRow(f"r-B00{n}", "r", n, status, EPOCH, EPOCH, EPOCH, 25.0, None, None, None, None, None, None)
        for n, status in enumerate(("good", "held", "released", "rejected"), start=1)
    ]
    found = verdict(packets, book)
    assert (found["bad_held"], found["good_held"], found["bad_diverted"]) == (34.0, 4.0, 8.0)
    assert (found["bad_released"], found["bad_released_metal"], found["good_released"]) == (16.0, 16.0, 1.0)


def test_a_guard_that_is_not_there_cannot_be_taken_away() -> None:
    config = line_at_step("demo")
    with pytest.raises(ConfigError, match="IL-999: is no guard of this line"):
        without(config, ["IL-999"])
    bare = without(config, guards_of(config))
    assert bare.line.guard is not None
    assert not bare.line.guard.critical_limits
    assert not any(station.profile.interlocks for station in bare.stations.values())
    assert [loop.name for loop in config.line.loops if loop.no_effect is not None] == ["TIC-303"]
    assert not any(loop.no_effect for loop in bare.line.loops)
    assert without(config, []) is config
