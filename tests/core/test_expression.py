"""Arithmetic over tags: what is read, what is refused, and that no value makes it fail."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.core.expression import ExpressionError, Memory, parse

ANY = st.floats(allow_nan=True, allow_infinity=True)


@pytest.mark.parametrize(
    ("text", "tags", "value"),
    [
        ("TT-303", ("TT-303",), 120.0),
        ("TT-303 - TT-309", ("TT-303", "TT-309"), 100.0),
        ("max(SC-302, TV-303) / 2", ("SC-302", "TV-303"), 20.0),
        ("abs(-TT-309 + 5) * 2", ("TT-309",), 30.0),
        ("WET.GROWTH", ("WET.GROWTH",), 0.25),
        ("min(TT-303, TT-309, TT-303)", ("TT-303", "TT-309"), 20.0),
    ],
)
def test_what_is_written_is_what_is_reckoned(text: str, tags: tuple[str, ...], value: float) -> None:
    values = {"TT-303": 120.0, "TT-309": 20.0, "SC-302": 30.0, "TV-303": 40.0, "WET.GROWTH": 0.25}
    found = parse(text)
    assert found.tags == tags
    assert found.at(values, Memory(), 1.0) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "TT-303 -",
        "__import__('os')",
        "TT-303 ** 9",
        "TT-303 if 1 else 2",
        "open(TT-303)",
        "mean(TT-303)",
        "mean(TT-303, TT-309)",
        "rise(TT-303, 0)",
        "rise(TT-303, True)",
        "abs(TT-303, 2)",
        "min(1)",
        "[TT-303]",
        "'a'",
        "lambda: 1",
        "1" * 400,
        "+".join("1" * 100),
        "(" * 200 + "1" + ")" * 200,
    ],
)
def test_nothing_but_arithmetic_is_read(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@given(a=ANY, b=ANY, dt_s=st.floats(0.0, 100.0))
def test_a_value_that_is_none_never_becomes_one(a: float, b: float, dt_s: float) -> None:
    memory = Memory()
    for text in ("A-1 / B-1", "A-1 * B-1", "max(A-1, B-1)", "rise(A-1, 60) + B-1"):
        found = parse(text).at({"A-1": a, "B-1": b}, memory, dt_s)
        assert math.isnan(found) or math.isfinite(found)
        if math.isnan(a) or math.isnan(b):
            assert math.isnan(found)


def test_a_rise_is_seen_and_forgotten() -> None:
    memory, rise = Memory(), parse("rise(AT-318, 600)")
    for _ in range(600):
        assert rise.at({"AT-318": 3.0}, memory, 1.0) == pytest.approx(0.0)
    found = [rise.at({"AT-318": 8.0}, memory, 1.0) for _ in range(6000)]
    assert max(found) > 3.0
    assert found[-1] < 0.05


def test_a_gap_in_the_reading_leaves_the_mean_alone() -> None:
    memory, mean = Memory(), parse("mean(AT-213, 120)")
    for _ in range(1000):
        mean.at({"AT-213": 4.0}, memory, 1.0)
    assert math.isnan(mean.at({"AT-213": math.nan}, memory, 50.0))
    assert mean.at({"AT-213": 4.0}, memory, 1.0) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("TT-303", 0.0),
        ("mean(AT-213, 120)", 120.0),
        ("mean(PDT-214, 60) / max(FT-203, mean(FT-203, 300))", 300.0),
        ("rise(mean(AT-213, 120), 600) - 3", 180.0),
    ],
)
def test_what_is_shown_now_began_three_windows_ago(text: str, seconds: float) -> None:
    expression, memory = parse(text), Memory()
    assert expression.lag_s == 3.0 * seconds
    if text.startswith("mean(AT"):  # the cause is over 95 % visible after so long
        expression.at({"AT-213": 0.0}, memory, 1.0)
        assert expression.at({"AT-213": 1.0}, memory, expression.lag_s) > 0.95
