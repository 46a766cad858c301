"""Reported changes on their way to the next read, and the settings of a report."""

from __future__ import annotations

from typing import Any

import pytest

from linecontrol.core.errors import ConfigError
from linecontrol.core.link import Reading
from linecontrol.core.model import Status
from linecontrol.links.opcua_values import Changes
from linecontrol.links.settings import OpcuaSettings


@pytest.mark.parametrize(
    ("key", "value", "accepted"),
    [("reading", "poll", "scan, subscribe"), ("publishing_s", 0.0, "0.05..10"), ("queue_size", 1, "2..1000")],
)
def test_settings_that_are_refused(key: str, value: Any, accepted: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key} .*accepted: {accepted}"):
        OpcuaSettings("opc.tcp://127.0.0.1:1/", "urn:x", **{key: value})


def reading(value: float) -> Reading:
    return Reading(value, Status.GOOD, value)


def test_changes_are_handed_over_once_and_oldest_first() -> None:
    changes = Changes({"A": reading(0), "B": reading(0)})
    for value in (1, 2, 3):
        changes.add("A", reading(value))
    changes.add("B", reading(1))
    assert changes.earlier() == []
    assert changes.read() == {"A": reading(3), "B": reading(1)}
    assert changes.earlier() == [{"A": reading(1)}, {"A": reading(2)}]
    assert changes.read() == {"A": reading(3), "B": reading(1)}
    assert changes.earlier() == []
    changes.add("A", reading(4))
    changes.add("A", reading(5))
    assert changes.rest() == [{"A": reading(4)}, {"A": reading(5)}]
    assert changes.rest() == []


def test_changes_nobody_fetches_are_thrown_away_and_counted() -> None:
    changes = Changes({"A": reading(0)}, most=10)
    for value in range(1, 13):
        changes.add("A", reading(value))
    assert changes.lost == 11
    assert changes.read() == {"A": reading(12)}
    assert changes.earlier() == []
