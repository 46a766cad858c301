"""Alarms of whole runs on the twin: a clean one is quiet, and one cause is one annunciation.

A clean day: ``python tests/benchmarks/alarms.py day`` (minutes).
"""

from __future__ import annotations

from dataclasses import replace

from short_run import SHORT, VALUES

from linecontrol.core.model import Event
from linecontrol.guard.alarms.kpis import floods_of, peak
from linecontrol.twin.trial import Outcome, run_trial


def run(seed: int, *faults: str) -> Outcome:
    values = {**VALUES, "root_kg": 100.0, "centrifuge_runout_s": 420.0}
    return run_trial(replace(SHORT, seed=seed, values=values, faults=faults))


def of(outcome: Outcome, *verbs: str) -> list[Event]:
    assert outcome.kept is not None
    return [event for event in outcome.kept.events if event.kind in {f"alarm.{verb}" for verb in verbs}]


def told(outcome: Outcome) -> list[str]:
    return [event.source for event in of(outcome, "raised", "annunciated") if event.data.get("annunciated")]


def test_a_clean_run_is_quiet() -> None:
    for seed in (1, 2):
        outcome = run(seed)
        assert outcome.record["state"] == "Complete"
        times = [event.time for event in of(outcome, "raised")]
        assert outcome.record["alarms"] == len(told(outcome))
        assert len(told(outcome)) <= max(1.0, outcome.line_s / 3600.0), told(outcome)
        assert floods_of(times, times[-1] if times else 0.0) == []
        assert of(outcome, "proposed") == []


def test_a_link_that_is_away_is_one_annunciation_with_all_that_comes_of_it() -> None:
    outcome = run(1, "silent:drying@700+90")
    raised = {event.source: event for event in of(outcome, "raised")}
    assert {"drying.LINK-DOWN", "RUN.HELD", "TT-303.QUALITY"} <= raised.keys()
    assert raised["RUN.HELD"].data["first_out"] == "drying.LINK-DOWN"
    assert raised["TT-303.QUALITY"].data["first_out"] == "drying.LINK-DOWN"
    assert set(told(outcome)) <= {"drying.LINK-DOWN", "RUN.NOT-SAFE"}, "and that the heater may still be on"
    held = [event for event in of(outcome, "cleared") if event.source == "RUN.HELD"]
    assert held, "the restart ends it"
    assert held[0].time > raised["RUN.HELD"].time
    assert peak([event.time for event in of(outcome, "raised") if event.data.get("annunciated")]) <= 10
