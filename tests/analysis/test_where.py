"""Which runs are meant: a condition finds them, and nothing written in one is ever executed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_history import MadeRun

from linecontrol.analysis.where import parse_where
from linecontrol.core.errors import ConfigError

RUNS = [
    MadeRun(0, lot="A-17", yield_pct=88.0, alarms=0),
    MadeRun(1, lot="A-18", yield_pct=84.0, alarms=3, species="thomsonii"),
    MadeRun(2, recipe="kudzu-thomsonii-fine", lot=None, yield_pct=90.0, alarms=12, state="Stopped"),
    MadeRun(40, lot="B[1]", yield_pct=86.0),
]


def found(text: str) -> list[int]:
    where = parse_where(text)
    return [run.number for run in RUNS if where.holds(run.record())]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('recipe == "kudzu-lobata-standard"', [0, 1, 40]),
        ('recipe == "kudzu-t*"', [2]),
        ("yield > 85", [0, 2, 40]),
        ("84 <= yield < 88", [1, 40]),
        ("yield > 85 and alarms < 5", [0, 40]),
        ("not (yield > 85 and alarms < 5)", [1, 2]),
        ('lot in ["A-17", "B[1]"]', [0, 40]),
        ('lot == "B[1]"', [40]),
        ('lot not in ["A-17"]', [1, 2, 40]),
        ('lot != "A-17"', [1, 2, 40]),
        ('species == "thomsonii" or state == "Stopped"', [1, 2]),
        ('season == "*spring"', [40]),
        ('started >= "2026-01-02" and started < "2026-02"', [1, 2]),
        ("values.moisture_sp == 12.8 and simulated", [0, 1, 2, 40]),
        ("values.nothing > 3", []),
        ("alarms > -1 and hours < 0.4", [0, 1, 2, 40]),
        ("diverted < 1", [0, 1, 2, 40]),
        ("yield_reconciled > 1.5", []),
    ],
)
def test_a_condition_finds_its_runs(text: str, numbers: list[int]) -> None:
    assert found(text) == numbers


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('policy == "hold"', [1]),
        ('policy != "hold"', [0, 2]),
        ("plant.rasp.size_um > 150", [1]),
        ('line_type == "manual" and plant.site.month == 4', [2]),
        ("plant.rasp.nothing > 1", []),
    ],
)
def test_runs_on_the_twin_are_found_by_what_they_were_made_with(text: str, meant: list[int]) -> None:
    made: list[dict[str, object]] = [
        {"policy": "auto", "line_type": "mechanised", "plant": {"rasp.size_um": 140.0}},
        {"policy": "hold", "line_type": "mechanised", "plant": {"rasp.size_um": 160.0}},
        {"policy": "auto", "line_type": "manual", "plant": {"site.month": 4.0}},
    ]
    where = parse_where(text)
    assert [at for at, with_ in enumerate(made) if where.holds(MadeRun(at).record() | with_)] == meant
    assert not where.holds(MadeRun(0).record()) or "!=" in text, "a real run says none of this"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("yield > 0.85", "hardly meant"),
        ("0.85 < yield", "hardly meant"),
        ('recipe = "x"', "=="),
        ("yield", "neither true nor false"),
        ("yield > 'high'", "quotes"),
        ("yields > 3", "not understood"),
        ("3 > 2", "nothing of a run"),
        ("lot in lot", "in what"),
        ("", "not a condition"),
        ("yield > 85 " * 300, "letters"),
        ("yield > 85 and " * 90 + "yield > 85", "parts"),
        ("__import__('os').system('x')", "neither"),
        ("lot == __builtins__", "not understood"),
        ("lot == open('x')", "not understood"),
        ("(lambda: 1)() == lot", "not understood"),
        ("lot == [x for x in 'abc']", "not understood"),
        ("lot.__class__ == 'str'", "not understood"),
        ("lot is None", "not understood"),
        ("lot == 'a' if yield > 85 else 'b'", "neither"),
        ("lot == f'{yield}'", "not understood"),
        ("yield > 10**9", "not understood"),
        ("yield > 1" + "0" * 400, "too large"),
        ("values.rasp_rpm < 1e999", "too large"),
        ("yield_reconciled > 0.85", "hardly meant"),
    ],
)
def test_what_is_no_condition_is_told_and_never_executed(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_where(text)
    assert says in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_told_as_none(text: str) -> None:
    try:
        where = parse_where(text)
    except ConfigError:
        return
    for run in RUNS:
        assert where.holds(run.record()) in (True, False)
