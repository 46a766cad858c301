"""Alarms together: who is told, what people do, what is a nuisance, what is kept, and the figures of it all."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from alarm_bench import Bench, event, row
from hypothesis import given, settings
from hypothesis.strategies import data, integers, sampled_from

from linecontrol.core.errors import StateError
from linecontrol.guard.alarms import UNACKNOWLEDGED, AlarmState, Kind, Priority
from linecontrol.guard.alarms.annunciation import BUDGET, WINDOW_S
from linecontrol.guard.alarms.kpis import floods_of, peak

LINK = event("link.down", "LINK-DOWN", ends=frozenset({"link.up"}), leads_station=True)


def qualities(count: int) -> list:
    return [row(f"T-{n}.QUALITY", Kind.QUALITY, group="dryer", on_delay_s=5.0) for n in range(count)]


# -- one cause, one annunciation


def test_a_link_that_is_down_is_told_once_and_its_tags_with_it() -> None:
    bench = Bench(LINK, *qualities(30))
    bench.tick(2)
    bench.event("link.down")
    bench.tick(20, **dict.fromkeys((f"T_{n}" for n in range(30)), None))
    assert bench.told() == ["dryer.LINK-DOWN"]
    assert Counter(verb for _, verb in bench.changes)["raised"] == 31, "all of it is recorded"
    assert {a.first_out for a in bench.system.alarms.values()} == {None, "dryer.LINK-DOWN"}
    assert bench.system.acknowledge(bench.now, ["dryer.LINK-DOWN"], "li") == {}
    assert set(bench.states().values()) == {"ACKED"}, "who acknowledges the first-out acknowledges what it tells of"


def test_what_stays_bad_after_its_first_out_has_gone_is_told_then() -> None:
    bench = Bench(LINK, *qualities(3))
    bench.event("link.down")
    bench.tick(20, T_0=None, T_1=None, T_2=None)
    bench.system.acknowledge(bench.now, ["dryer.LINK-DOWN"], "li")
    bench.event("link.up", active=False)
    bench.tick(8, T_0=1.0, T_1=1.0)
    bench.tick(120)
    assert bench.told() == ["dryer.LINK-DOWN"], "it was acknowledged with its first-out"
    assert bench.state("T-2.QUALITY") == "ACKED"
    bench.event("link.down")
    bench.tick(10, T_0=None)
    bench.event("link.up", active=False)
    bench.system.acknowledge(bench.now, ["dryer.LINK-DOWN"], "li")
    assert bench.state("T-0.QUALITY") == "ACKED"


def test_a_member_nobody_saw_is_told_when_nothing_tells_of_it_any_more() -> None:
    bench = Bench(LINK, *qualities(1))
    bench.event("link.down")
    bench.system.acknowledge(bench.now, ["dryer.LINK-DOWN"], "li")
    bench.tick(10, T_0=None)
    assert bench.told() == ["dryer.LINK-DOWN"]
    bench.event("link.up", active=False)
    bench.tick(50)
    assert bench.told() == ["dryer.LINK-DOWN"], "it may still go by itself"
    bench.tick(30)
    assert bench.told() == ["dryer.LINK-DOWN", "T-0.QUALITY"]


def test_a_group_never_hides_the_more_urgent_behind_the_less_urgent() -> None:
    bench = Bench(row("A.HIGH", group="g", priority=Priority.LOW), row("B.HIGH", group="g", priority=Priority.HIGH))
    bench.tick(A=11.0)
    bench.tick(B=11.0)
    assert bench.told() == ["A.HIGH", "B.HIGH"]


def test_what_follows_from_another_is_told_by_it_also_when_more_urgent_but_a_critical_one_is_not() -> None:
    follows = frozenset({"quality"})
    bench = Bench(
        row("A.QUALITY", Kind.QUALITY),
        event("run.held", "HELD", source="RUN", follows=follows),
        event("run.safe_failed", "NOT-SAFE", source="RUN", follows=follows, priority=Priority.CRITICAL),
    )
    bench.system._station_of = lambda _: "line"
    bench.tick(A=None)
    bench.event("run.held", "run-1")
    bench.event("run.safe_failed", "run-1", active=None)
    assert bench.told() == ["A.QUALITY", "RUN.NOT-SAFE"]
    assert bench.system.alarms["RUN.HELD"].first_out == "A.QUALITY"


def test_an_alarm_of_another_station_explains_nothing() -> None:
    bench = Bench(
        row("A.QUALITY", Kind.QUALITY, station="mill"), row("B.HIGH", follows=frozenset({"quality"}), station="dryer")
    )
    bench.tick(A=None)
    bench.tick(B=11.0)
    assert bench.told() == ["A.QUALITY", "B.HIGH"]


# -- a storm


def test_a_storm_of_two_hundred_is_recorded_whole_and_told_in_ten() -> None:
    """FAULTS.md F57: nothing that has no cause in common, each with its own tag, within a minute."""
    cycle = [Priority.LOW, Priority.MEDIUM, Priority.LOW, Priority.HIGH]
    bench = Bench(*(row(f"T-{n}.HIGH", priority=cycle[n % 4]) for n in range(200)))
    for n in range(200):
        bench.tick(0 if n % 4 else 1, **{f"T_{n}": 11.0})
    bench.tick(1)
    assert bench.now <= 60.0
    assert Counter(verb for _, verb in bench.changes)["raised"] == 200
    assert len(bench.told()) <= 10
    assert bench.system.kpis(bench.now, 3600.0).is_flood
    assert set(bench.states().values()) == {"UNACK"}, "all of it is in view"
    refused = bench.system.acknowledge(bench.now, list(bench.system.alarms), "li")
    assert not refused
    assert set(bench.states().values()) == {"ACKED"}


def test_what_waited_in_a_storm_is_told_later_the_most_urgent_first() -> None:
    bench = Bench(*(row(f"T-{n}.HIGH", priority=Priority.HIGH if n == 19 else Priority.LOW) for n in range(20)))
    bench.tick(1, **{f"T_{n}": 11.0 for n in range(19)})
    assert len(bench.told()) == BUDGET
    bench.tick(1, T_19=11.0)
    assert bench.told()[-1] == "T-19.HIGH", "the more urgent one is told in a storm as well"
    bench.tick(int(WINDOW_S) + 10)
    assert len(bench.told()) == 2 * BUDGET + 1
    bench.tick(2 * int(WINDOW_S))
    assert sorted(bench.told()) == sorted(bench.system.alarms), "and each of them once"


@given(found=data())
@settings(deadline=None)
def test_never_more_than_ten_in_ten_minutes_whatever_comes(found) -> None:
    ranks = [Priority.LOW, Priority.MEDIUM, Priority.HIGH]
    rows = [row(f"T-{n}.HIGH", priority=found.draw(sampled_from(ranks))) for n in range(25)]
    bench = Bench(*rows)
    told: list[float] = []
    for _ in range(40):
        name = f"T_{found.draw(integers(0, 24))}"
        value = found.draw(sampled_from([0.0, 11.0]))
        before = len(bench.told())
        bench.tick(found.draw(sampled_from([1, 1, 5, 60])), **{name: value})
        told += [bench.now] * (len(bench.told()) - before)
        if found.draw(integers(0, 5)) == 0:
            waiting = [a.name for a in bench.system.alarms.values() if a.state in UNACKNOWLEDGED]
            bench.system.acknowledge(bench.now, waiting, "li")
            bench.drain()
    assert peak(told) <= 10


def test_a_critical_alarm_is_told_in_the_worst_storm() -> None:
    bench = Bench(*(row(f"T-{n}.HIGH", priority=Priority.CRITICAL if n > 30 else Priority.HIGH) for n in range(34)))
    bench.tick(1, **{f"T_{n}": 11.0 for n in range(34)})
    assert {"T-31.HIGH", "T-32.HIGH", "T-33.HIGH"} <= set(bench.told())


# -- nuisances


def test_a_chattering_alarm_is_told_once_and_shelving_is_proposed_never_done() -> None:
    bench = Bench(row())
    for _ in range(20):
        bench.tick(2, T_1=11.0)
        bench.tick(2, T_1=9.0)
    alarm = bench.system.alarms["T-1.HIGH"]
    assert alarm.habit.nuisance is not None
    assert bench.system.kpis(bench.now, 3600.0).chattering == ["T-1.HIGH"]
    assert alarm.state is AlarmState.RTNUN, "it is in view like any other"
    assert bench.verbs("T-1.HIGH").count("raised") == 20
    assert len(bench.told()) <= 3
    assert bench.verbs("T-1.HIGH").count("proposed") == 1
    bench.tick(700)
    assert alarm.habit.nuisance is None, "the proposal is withdrawn when it has been quiet"


def test_a_fleeting_alarm_is_found_though_it_does_not_chatter() -> None:
    bench = Bench(row())
    for _ in range(3):
        bench.tick(2, T_1=11.0)
        bench.tick(120, T_1=9.0)
    assert bench.system.alarms["T-1.HIGH"].habit.nuisance == "fleeting"


def test_what_stands_for_more_than_a_day_is_stale() -> None:
    bench = Bench(row())
    bench.tick(T_1=11.0)
    bench.now += 86_401.0
    bench.tick()
    assert bench.system.kpis(bench.now, 86_400.0).stale == ["T-1.HIGH"]


# -- people


def test_a_shelved_alarm_says_nothing_and_comes_back_by_itself() -> None:
    bench = Bench(row())
    bench.system.shelve(bench.now, "T-1.HIGH", "li", "being cleaned", bench.now + 30.0)
    bench.tick(20, T_1=11.0)
    assert bench.state("T-1.HIGH") == "SHLVD"
    assert bench.told() == []
    assert bench.system.alarms["T-1.HIGH"].standing.is_active
    bench.tick(11)
    assert bench.state("T-1.HIGH") == "UNACK"
    assert bench.told() == ["T-1.HIGH"]
    assert bench.verbs("T-1.HIGH")[-2:] == ["annunciated", "unshelved"]


def test_out_of_service_lasts_until_somebody_returns_it() -> None:
    bench = Bench(row())
    bench.system.remove(bench.now, "T-1.HIGH", "wang", "sensor taken out")
    bench.tick(100_000 // 1000, T_1=11.0)
    assert bench.state("T-1.HIGH") == "OOSRV"
    with pytest.raises(StateError, match="out of service already"):
        bench.system.remove(bench.now, "T-1.HIGH", "wang", "again")
    bench.system.return_to_service(bench.now, "T-1.HIGH", "wang")
    bench.tick()
    assert bench.state("T-1.HIGH") == "UNACK"


def test_acknowledging_some_that_cannot_be_leaves_the_others_acknowledged() -> None:
    bench = Bench(row("A.HIGH"), row("B.HIGH"))
    bench.tick(A=11.0)
    refused = bench.system.acknowledge(bench.now, ["A.HIGH", "B.HIGH"], "li")
    assert refused == {"B.HIGH": "it is normal"}
    assert bench.state("A.HIGH") == "ACKED"
    with pytest.raises(KeyError):
        bench.system.acknowledge(bench.now, ["C.HIGH"], "li")


def test_the_sound_stops_until_the_next_alarm() -> None:
    bench = Bench(row("A.HIGH"), row("B.HIGH"))
    bench.tick(A=11.0)
    assert len(bench.system.silence(bench.now, "li")) == 1
    assert bench.system.silence(bench.now, "li") == []
    assert bench.state("A.HIGH") == "UNACK"
    bench.tick(B=11.0)
    assert not bench.system.alarms["B.HIGH"].is_silenced


# -- events


def test_what_happens_in_a_moment_stays_in_view_until_seen() -> None:
    bench = Bench(event("historian.dropped", "DROPPED"))
    bench.event("historian.dropped", active=None)
    assert bench.state("dryer.DROPPED") == "RTNUN"
    assert bench.told() == ["dryer.DROPPED"]


def test_an_event_nobody_thought_of_is_an_alarm_all_the_same() -> None:
    bench = Bench(event("*", "OTHER"), LINK)
    bench.event("nobody.knows", "mill")
    assert bench.state("mill.OTHER") == "UNACK"
    bench.event("link.up", active=False)
    assert "dryer.OTHER" not in bench.system.alarms


def test_an_event_told_twice_is_one_alarm() -> None:
    bench = Bench(LINK)
    bench.event("link.down")
    bench.event("link.down")
    assert bench.verbs("dryer.LINK-DOWN").count("raised") == 1


# -- events that mean nothing in some states of the run

IDLE = frozenset({"Idle", "Stopped"})
LOCK = event("interlock.tripped", "INTERLOCK", ends=frozenset({"interlock.cleared"}), suppressed_in=IDLE)
LOCKED = "dryer.INTERLOCK"


def idle(*rows) -> Bench:
    bench = Bench(*rows)
    bench.run_state = "Idle"
    bench.tick()
    return bench


def test_an_event_is_suppressed_by_design_and_told_when_the_run_leaves_that_state() -> None:
    bench = idle(LOCK)
    bench.event("interlock.tripped")
    bench.tick(3)
    assert (bench.state(LOCKED), bench.told()) == ("DSUPR", [])
    assert bench.system.alarms[LOCKED].standing.is_active, "it is listed all the same"
    bench.run_state = "Running"
    bench.tick(2)
    assert (bench.state(LOCKED), bench.told()) == ("UNACK", [LOCKED])
    assert bench.verbs(LOCKED) == ["suppressed", "unsuppressed", "annunciated", "raised"]
    assert bench.system.alarms[LOCKED].detail == "what happened"
    bench.event("interlock.cleared", active=False)
    assert bench.state(LOCKED) == "RTNUN"


def test_an_event_that_ends_while_suppressed_leaves_nothing_pending() -> None:
    bench = idle(LOCK, event("moisture.bridge", "BRIDGED", suppressed_in=IDLE, latched=True))
    bench.event("interlock.tripped")
    bench.event("moisture.bridge")
    bench.tick(2)
    bench.event("interlock.cleared", active=False)
    bench.event("moisture.bridge", active=False)
    bench.tick()
    bench.run_state = "Running"
    bench.tick(3)
    assert bench.states() == {LOCKED: "NORM", "dryer.BRIDGED": "NORM"}
    assert bench.told() == []


def test_an_event_of_a_moment_is_not_kept_for_a_state_in_which_it_means_something() -> None:
    bench = idle(LOCK)
    bench.event("interlock.tripped", active=None)
    bench.run_state = "Running"
    bench.tick(3)
    assert (bench.state(LOCKED), bench.told()) == ("NORM", [])


def test_what_an_event_told_before_the_run_ended_stays_in_view_until_somebody_has_seen_it() -> None:
    bench = Bench(LOCK)
    bench.tick()
    bench.event("interlock.tripped")
    assert bench.told() == [LOCKED], "at once, not at the next look"
    bench.run_state = "Stopped"
    bench.tick(2)
    assert bench.state(LOCKED) == "RTNUN"
    bench.system.acknowledge(bench.now, [LOCKED], "li")
    bench.tick(2)
    assert bench.state(LOCKED) == "DSUPR"
    bench.event("interlock.cleared", active=False)
    bench.run_state = "Running"
    bench.tick(3)
    assert bench.state(LOCKED) == "NORM"


def test_a_latched_event_stays_until_it_is_reset_and_what_comes_while_suppressed_latches_when_told() -> None:
    bench = Bench(event("moisture.bridge", "BRIDGED", suppressed_in=IDLE, latched=True))
    bench.tick()
    bench.event("moisture.bridge")
    bench.system.acknowledge(bench.now, ["dryer.BRIDGED"], "li")
    bench.run_state = "Idle"
    bench.tick(2)
    assert bench.state("dryer.BRIDGED") == "LACKD"
    bench.system.reset(bench.now, "dryer.BRIDGED", "li")
    bench.tick()
    assert bench.state("dryer.BRIDGED") == "DSUPR"
    bench.run_state = "Running"
    bench.tick(2)
    bench.event("moisture.bridge", active=False)
    assert bench.state("dryer.BRIDGED") == "LUNAK"


def test_a_shelf_outlasts_the_suppression_of_an_event() -> None:
    bench = idle(LOCK)
    bench.event("interlock.tripped")
    bench.system.shelve(bench.now, LOCKED, "li", "known", bench.now + 20.0)
    bench.tick(2)
    assert bench.state(LOCKED) == "SHLVD"
    bench.run_state = "Running"
    bench.tick(5)
    assert (bench.state(LOCKED), bench.told()) == ("SHLVD", [])
    bench.tick(15)
    assert (bench.state(LOCKED), bench.told()) == ("UNACK", [LOCKED])


def test_a_shelf_that_ends_while_an_event_is_suppressed_says_nothing() -> None:
    bench = Bench(LOCK)
    bench.tick()
    bench.event("interlock.tripped")
    bench.system.acknowledge(bench.now, [LOCKED], "li")
    bench.system.shelve(bench.now, LOCKED, "li", "known", bench.now + 20.0)
    bench.run_state = "Idle"
    bench.tick(30)
    assert bench.state(LOCKED) == "DSUPR"
    bench.run_state = "Running"
    bench.tick(2)
    assert bench.state(LOCKED) == "UNACK"


def test_what_an_event_follows_still_tells_of_it_when_both_come_out_of_suppression() -> None:
    tripped = row("A.TRIPPED", Kind.ON, suppressed_in=IDLE)
    bench = idle(tripped, event("interlock.tripped", "INTERLOCK", suppressed_in=IDLE, follows=frozenset({"TRIPPED"})))
    bench.event("interlock.tripped")
    bench.tick(2, A=True)
    bench.run_state = "Running"
    bench.tick(3)
    assert bench.states() == {"A.TRIPPED": "UNACK", LOCKED: "UNACK"}
    assert bench.told() == ["A.TRIPPED"]
    assert bench.system.alarms[LOCKED].first_out == "A.TRIPPED"


def test_what_is_suppressed_tells_of_nothing() -> None:
    bench = idle(LOCK, event("run.held", "HELD", follows=frozenset({"INTERLOCK"})))
    bench.event("interlock.tripped")
    bench.event("run.held")
    assert bench.told() == ["dryer.HELD"]


def test_an_event_before_the_first_look_waits_for_the_state_of_the_run() -> None:
    for state, told in (("Idle", []), ("Running", [LOCKED])):
        bench = Bench(LOCK)
        bench.run_state = state
        bench.event("interlock.tripped")
        assert bench.told() == []
        bench.tick()
        assert bench.told() == told


# -- restarts


def restarted(bench: Bench, *rows) -> Bench:
    kept = {name: json.loads(json.dumps(a.to_dict())) for name, a in bench.system.alarms.items() if a.version}
    after = Bench(*rows)
    after.now = bench.now + 20.0
    after.samples = dict(bench.samples)
    after.system.restore(after.now, kept)
    return after


def test_a_restart_changes_nothing_that_people_did() -> None:
    rows = [row("A.HIGH"), row("B.HIGH"), row("C.HIGH"), row("D.HIGH", latched=True), row("E.HIGH"), LINK]
    bench = Bench(*rows)
    bench.tick(A=11.0, B=11.0, D=11.0, E=11.0)
    bench.system.acknowledge(bench.now, ["B.HIGH"], "li")
    bench.system.shelve(bench.now, "E.HIGH", "li", "noisy", bench.now + 60.0)
    bench.system.remove(bench.now, "C.HIGH", "wang", "taken out")
    bench.system.comment(bench.now, "A.HIGH", "li", "valve opened")
    bench.tick(D=1.0)
    bench.event("link.down")
    bench.system.acknowledge(bench.now, ["dryer.LINK-DOWN"], "li")
    before = bench.states()
    assert before == {
        "A.HIGH": "UNACK",
        "B.HIGH": "ACKED",
        "C.HIGH": "OOSRV",
        "D.HIGH": "LUNAK",
        "E.HIGH": "SHLVD",
        "dryer.LINK-DOWN": "ACKED",
    }
    after = restarted(bench, *rows)
    assert after.states() == before
    after.tick()
    assert after.states() == before
    assert after.told() == [], "nothing is told again that was told before"
    assert after.system.alarms["A.HIGH"].comments[0].text == "valve opened"
    assert after.system.alarms["B.HIGH"].acked_by == "li"
    after.event("link.down")
    after.tick(61)
    assert after.state("dryer.LINK-DOWN") == "ACKED", "the link is still down: it is the same alarm"
    assert after.state("E.HIGH") == "UNACK", "its time on the shelf is over"


def test_an_events_alarm_that_is_not_told_again_after_a_restart_is_over() -> None:
    bench = Bench(LINK)
    bench.event("link.down")
    after = restarted(bench, LINK)
    after.tick(59)
    assert after.state("dryer.LINK-DOWN") == "UNACK"
    after.tick(3)
    assert after.state("dryer.LINK-DOWN") == "RTNUN", "nobody has seen it yet"


def test_an_event_suppressed_before_a_restart_is_told_only_when_it_is_told_again() -> None:
    for again in (False, True):
        bench = idle(LOCK)
        bench.event("interlock.tripped")
        bench.tick()
        bench.system.comment(bench.now, LOCKED, "li", "looked at")
        after = restarted(bench, LOCK)
        after.run_state = "Idle"
        after.tick(2)
        assert after.state(LOCKED) == "DSUPR"
        if again:
            after.event("interlock.tripped")
        after.run_state = "Running"
        after.tick(3)
        assert after.told() == ([LOCKED] if again else [])
        assert after.state(LOCKED) == ("UNACK" if again else "NORM")
        assert after.system.alarms[LOCKED].comments[0].text == "looked at"


def test_an_event_that_stood_before_a_restart_into_a_state_in_which_it_means_nothing() -> None:
    bench = Bench(LOCK)
    bench.tick()
    bench.event("interlock.tripped")
    bench.system.acknowledge(bench.now, [LOCKED], "li")
    after = restarted(bench, LOCK)
    after.run_state = "Idle"
    after.tick(2)
    assert after.state(LOCKED) == "DSUPR"
    after.run_state = "Running"
    after.tick(70)
    assert (after.state(LOCKED), after.told()) == ("NORM", [])


def test_a_row_that_is_no_longer_suppressed_comes_back_into_view_after_a_restart() -> None:
    bench = idle(LOCK)
    bench.event("interlock.tripped")
    bench.system.comment(bench.now, LOCKED, "li", "looked at")
    after = restarted(bench, event("interlock.tripped", "INTERLOCK"))
    after.run_state = "Idle"
    after.tick()
    assert after.state(LOCKED) == "NORM"
    after.event("interlock.tripped")
    assert after.told() == [LOCKED]


def test_what_came_before_the_history_could_be_read_is_not_overwritten_by_it() -> None:
    rows = [row("A.HIGH")]
    bench = Bench(*rows)
    bench.tick(A=1.0)
    bench.system.comment(bench.now, "A.HIGH", "li", "old")
    kept = {"A.HIGH": bench.system.alarms["A.HIGH"].to_dict(), "gone.HIGH": bench.system.alarms["A.HIGH"].to_dict()}
    after = Bench(*rows)
    after.tick(A=11.0)
    after.system.restore(after.now, kept)
    assert after.state("A.HIGH") == "UNACK"


# -- figures


def test_a_flood_begins_above_ten_and_ends_below_five() -> None:
    times = [float(n) for n in range(12)]
    assert floods_of(times[:10], 5000.0) == []
    (flood,) = floods_of(times, 5000.0)
    assert (flood.began, flood.ended, flood.alarms) == (10.0, 607.0, 12)
    assert floods_of(times, 100.0)[0].ended is None
    assert peak(times) == 12


def test_figures_count_what_came_and_what_was_told() -> None:
    bench = Bench(LINK, *qualities(12))
    bench.tick()
    bench.event("link.down")
    bench.tick(3600, **dict.fromkeys((f"T_{n}" for n in range(12)), None))
    found = bench.system.kpis(bench.now, 86_400.0)
    assert (found.alarms, found.annunciated, found.peak_10_min, found.peak_annunciated) == (13, 1, 13, 1)
    assert found.in_flood_pct == pytest.approx(100 * 600 / 3600, rel=0.05)
    assert found.priorities["medium"] == pytest.approx(100 * 12 / 13)
    assert found.per_day == pytest.approx(13 * 24, rel=0.01)
    assert sum(count for _, count in found.top) == 10
