"""What random faults on the twin have found, each kept as it was found."""

from __future__ import annotations

from dataclasses import replace

from short_run import SHORT

from linecontrol.core.model import Event
from linecontrol.twin.trial import EPOCH, Outcome, Trial, run_trial

SMALL = replace(SHORT, seed=51, watched=True)
# What that seed's run does [s]: feeds roots from 331, runs the centrifuge empty from 680, brings wet cake from 784.


def after(*faults: str, seed: int = 51, trial: Trial = SMALL) -> Outcome:
    outcome = run_trial(replace(trial, seed=seed, faults=faults))
    assert outcome.breaches == ()
    assert outcome.record["state"] == "Complete", outcome.record["reason"]
    return outcome


def told(outcome: Outcome, kind: str) -> list[Event]:
    assert outcome.kept is not None
    return [event for event in outcome.kept.events if event.kind == kind]


def test_a_station_that_refused_its_safe_outputs_gets_them_as_soon_as_it_takes_any() -> None:
    """Held for another station's trip while this one refuses for four seconds: its heater must not stay on."""
    outcome = after("exception:grinding@700+60", "exception:drying@760+4")
    held = next(event for event in told(outcome, "run.held") if "(grinding) has tripped" in event.text)
    assert held.text.endswith("Remove the cause at the cabinet, then Restart")
    assert str((held.data or {})["zh"]).startswith("粉碎分离（grinding） 已跳闸（XA-201：")


def test_a_program_that_stands_still_holds_the_run_and_is_made_safe_when_it_runs_again() -> None:
    outcome = after("freeze:drying@720+330")
    held = told(outcome, "run.held")
    assert "the program of the PLC drying is not running" in held[0].text
    assert held[0].time - EPOCH - 720 < 60
    unsafe = [event.text for event in told(outcome, "run.safe_failed")]
    assert not any("watchdog" in text for text in unsafe), "its own watchdog stands still too"


def test_a_loop_on_its_way_by_hand_does_not_walk_over_a_safe_output() -> None:
    # In a run with the recipe's own values it shuts DIC-204 by hand at 1631, and is held while that is on its way.
    outcome = after("exception:drying@1625+60", trial=replace(SMALL, values={"root_kg": 60.0}))
    assert outcome.kept is not None
    held_at = told(outcome, "run.held")[0].time
    again_at = next(e.time for e in told(outcome, "run.state") if "Held to Restarting" in e.text)
    by_loops = [
        r for r in outcome.kept.commands if held_at + 3 < r.time < again_at and r.command.who.startswith("loop:")
    ]
    assert by_loops == []


def test_a_plc_that_was_restarted_while_its_link_was_broken_is_noticed() -> None:
    outcome = after("reboot:drying@722+2")
    assert len(told(outcome, "plc.restarted")) == 1
    assert "the PLC drying was restarted" in told(outcome, "run.held")[0].text


def test_a_link_that_broke_and_came_back_is_no_restart() -> None:
    assert told(after("refuse:drying@722+2"), "plc.restarted") == []


def test_swapped_words_are_found_by_the_constant_and_nothing_of_that_scan_is_believed() -> None:
    outcome = after("word-order:grinding@450+79", seed=1)
    began, ended = told(outcome, "plc.garbled")
    assert began.active
    assert "QI-200" in began.text
    assert not ended.active
    assert told(outcome, "plc.foreign") == [], "a swapped owner is no other controller"
