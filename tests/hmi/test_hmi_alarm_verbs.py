"""The verbs the alarm page offers are those the alarm system takes; folding loses and doubles nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from linecontrol.guard.alarms.states import AlarmState, Signal, Standing
from linecontrol.hmi import texts
from linecontrol.hmi.alarm_verbs import VERBS, folded, shown_verbs, why_not
from linecontrol.hmi.live import Live

SIGNALS = {
    "acknowledge": Signal.ACKNOWLEDGE,
    "reset": Signal.RESET,
    "shelve": Signal.SHELVE,
    "unshelve": Signal.UNSHELVE,
    "out-of-service": Signal.REMOVE,
    "return": Signal.RETURN,
}


def row_of(standing: Standing) -> dict[str, Any]:
    """As the API shows an alarm that stands so."""
    shelved = AlarmState.SHLVD in standing.hidden
    return {
        "name": "TT-305.HIGH",
        "state": standing.state.value,
        "latched": standing.latches,
        "shelved_until": "2026-01-12T07:00:00Z" if shelved else None,
    }


@given(latches=st.booleans(), signals=st.lists(st.sampled_from(list(Signal)), max_size=12))
def test_what_is_offered_is_what_is_legal(latches: bool, signals: list[Signal]) -> None:
    standing = Standing(latches)
    for signal in signals:
        if standing.why_not(signal) is None:
            standing.take(signal)
    row = row_of(standing)
    for verb, signal in SIGNALS.items():
        offered = why_not(row, verb) == ""
        legal = standing.why_not(signal) is None
        # nobody is offered to shelve what is out of service, though the system would take it
        if verb == "shelve" and standing.state is AlarmState.OOSRV:
            assert not offered
        else:
            assert offered == legal, (verb, row, standing.why_not(signal))
    assert set(shown_verbs(row)) <= set(VERBS)
    assert "comment" in shown_verbs(row)


@given(latches=st.booleans(), state=st.sampled_from([s.value for s in AlarmState]), shelved=st.booleans())
def test_every_reason_is_a_text(latches: bool, state: str, shelved: bool) -> None:
    row = {"name": "x", "state": state, "latched": latches, "shelved_until": "2026" if shelved else None}
    for verb in VERBS:
        key = why_not(row, verb)
        assert key == "" or all(key in texts.catalogue(language) for language in texts.LANGUAGES), key


NAMES = st.sampled_from("abcdef")


@given(heads=st.dictionaries(NAMES, st.none() | NAMES, max_size=6))
def test_folding_loses_and_doubles_nothing_of_a_system_of_first_outs(heads: dict[str, str | None]) -> None:
    # a first-out tells of others, and is told of by none: as the alarm system makes them
    rows: list[dict[str, Any]] = [
        {"name": name, "first_out": head if head is not None and heads.get(head) is None else None}
        for name, head in heads.items()
    ]
    pairs = folded(rows)
    shown = [row["name"] for row, _ in pairs] + [one["name"] for _, members in pairs for one in members]
    assert sorted(shown) == sorted(heads)
    assert all(one["first_out"] == row["name"] for row, members in pairs for one in members)


def alarm(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "priority": "low", "raised_at": "2026-01-12T06:00:00Z", **more}


def test_an_update_changes_only_the_alarms_it_tells_of() -> None:
    live = Live()
    live.take({"type": "snapshot", "alarms": [alarm("a", "UNACK"), alarm("b", "ACKED")]}, 0.0)
    live.take({"type": "update", "alarms": [alarm("b", "RTNUN", priority="high")]}, 0.3)
    assert [(row["name"], row["state"]) for row in live.alarms] == [("b", "RTNUN"), ("a", "UNACK")]
    live.take({"type": "update", "alarms": [alarm("a", "NORM")]}, 0.6)
    assert [row["name"] for row in live.alarms] == ["b"]
    version = live.alarms_version
    live.take({"type": "update"}, 0.9)
    assert live.alarms_version == version
    live.take({"type": "snapshot", "alarms": []}, 1.2)
    assert live.alarms == []


def test_what_another_alarm_tells_of_is_not_in_the_banner() -> None:
    live = Live()
    rows = [alarm("a", "UNACK", annunciated=True), alarm("b", "UNACK", annunciated=False, first_out="a")]
    live.take({"type": "snapshot", "alarms": rows}, 0.0)
    assert live.values["alarms.waiting"] == 1
    assert len(live.alarms) == 2
