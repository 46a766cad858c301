"""`linecontrol lab`: what a person writes as a time."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from linecontrol.cli.lab import moment

NOW = datetime(2026, 1, 12, 4, 10, tzinfo=UTC)


@pytest.mark.parametrize("minutes", [0, 1, 90, 1439])
def test_a_clock_time_is_the_last_such_time(minutes: int) -> None:
    meant = NOW.astimezone() - timedelta(minutes=minutes)
    assert moment(f"{meant:%H:%M}", NOW) == meant


def test_a_whole_moment_is_taken_as_written() -> None:
    assert moment("2026-01-12T10:40:00+08:00", NOW) == datetime(2026, 1, 12, 2, 40, tzinfo=UTC)
    assert moment("2026-01-12 10:40", NOW) == datetime(2026, 1, 12, 10, 40).astimezone()


@pytest.mark.parametrize("text", ["25:10", "10:61", "noon", "", "10"])
def test_what_is_no_time_is_told(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        moment(text, NOW)
    assert caught.value.exit_code == 2
    assert "10:40" in capsys.readouterr().err
