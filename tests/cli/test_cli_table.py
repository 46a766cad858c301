"""Recorded tables: units of time, commas, dates and columns are read as meant, or refused; never guessed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from linecontrol.cli.commands import app
from linecontrol.cli.table_file import Table, read_table
from linecontrol.core.errors import ConfigError

Read = Callable[..., Table]
START = datetime(2026, 5, 4, 23, 57, 30, tzinfo=UTC)
SECONDS = np.arange(400.0)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """A file of a time column and others, read back."""

    def reading(
        times: Sequence[str],
        header: str = "t",
        *,
        y: Sequence[str] = (),
        delimiter: str = ";",
        below: str = "",
        time_unit: str = "auto",
    ) -> Table:
        path = tmp_path / "test.csv"
        rows = zip(times, y or ["1"] * len(times), strict=True)
        lines = [f'"{header}"{delimiter}y', *([below] if below else [])]
        path.write_text("\n".join([*lines, *(f'"{a}"{delimiter}"{b}"' for a, b in rows)]), encoding="utf-8")
        return read_table(path, header, {"y": "y"}, time_unit=time_unit)

    return reading


def run(command: str, path: Path, *words: object) -> Result:
    return CliRunner().invoke(app, [command, "--csv", str(path), *map(str, words)])


@pytest.mark.parametrize(
    ("header", "per_second", "named"),
    [
        ("t", 1.0, "seconds"),
        ("elapsed_sec", 1.0, "seconds"),
        ("Time, s", 1.0, "seconds"),
        ("时间_秒", 1.0, "seconds"),
        ("Time of day", 1.0, "seconds"),
        ("Time (minutes)", 1 / 60, "minutes"),
        ("Minutes", 1 / 60, "minutes"),
        ("minutes since start", 1 / 60, "minutes"),
        ("Time (PLC 1) [Min]", 1 / 60, "minutes"),
        ("时间(分)", 1 / 60, "minutes"),
        ("时间(分钟)", 1 / 60, "minutes"),
        ("Time [hours]", 1 / 3600, "hours"),
        ("Time (hrs)", 1 / 3600, "hours"),
        ("时间（小时）", 1 / 3600, "hours"),
        ("t_days", 1 / 86_400, "days"),
        ("时间(毫秒)", 1e3, "milliseconds"),
        ("时间毫秒", 1e3, "milliseconds"),
        ("elapsedMs", 1e3, "milliseconds"),
        ("time_mS", 1e3, "milliseconds"),
        ("Time (µs)", 1e6, "microseconds"),
        ("time_ns", 1e9, "nanoseconds"),
    ],
)
def test_the_unit_of_times_is_what_the_header_says_and_is_told(
    read: Read, header: str, per_second: float, named: str
) -> None:
    table = read([f"{t * per_second:.12g}" for t in SECONDS], header)
    np.testing.assert_allclose(table.t_s, SECONDS, atol=1e-5)
    assert any(f"times were read as {named}," in note for note in table.notes)


def test_a_line_of_units_and_the_option_name_the_unit_too(read: Read) -> None:
    minutes = [f"{t / 60:.12g}" for t in SECONDS]
    for table in (read(minutes, below="[min];°C"), read(minutes, "Time (ticks)", time_unit="min")):
        np.testing.assert_allclose(table.t_s, SECONDS, atol=1e-6)
    with pytest.raises(ConfigError, match=r"'ticks'.*--time-unit"):
        read(minutes, below="ticks;°C")


@pytest.mark.parametrize(("per_second", "named"), [(10**3, "milli"), (10**6, "micro"), (10**9, "nano")])
def test_numbers_since_1970_tell_their_unit_by_their_size(read: Read, per_second: int, named: str) -> None:
    table = read([str((1_778_500_000 + n) * per_second) for n in range(400)], "timestamp (UTC)")
    np.testing.assert_allclose(table.t_s, SECONDS, atol=1e-6)
    assert f"{named}seconds, since 1970" in table.notes[0]


def test_days_of_a_spreadsheet_are_days(read: Read) -> None:
    table = read([f"{46146 + t / 86_400:.9f}" for t in SECONDS])
    np.testing.assert_allclose(table.t_s, SECONDS, atol=1e-4)
    assert "days, as a spreadsheet counts them" in table.notes[0]
    seconds = read([f"{46146 + t:g}" for t in range(9)])  # from any start
    np.testing.assert_allclose(seconds.t_s, np.arange(9.0))


@pytest.mark.parametrize(
    ("first", "header", "told"),
    [
        ("0", "Time (m)", "'m' is not known as a unit of time"),
        ("0", "时间（刻）", "'刻' is not known"),
        ("133000000000000000", "t", "too large for seconds"),  # 100 ns since 1601
        ("1778500000000", "Time (s)", "1778500000000 seconds is too large"),
    ],
)
def test_a_unit_that_is_not_known_is_refused_naming_the_option(read: Read, first: str, header: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        read([first, str(int(first) + 1)], header)
    assert told in str(error.value)
    assert "--time-unit s, ms, us, ns, min, h, d" in str(error.value)


@pytest.mark.parametrize(
    ("cells", "delimiter", "values"),
    [
        (["998", "1,001", "1,002"], ",", [998.0, 1001.0, 1002.0]),
        (["998.5", "1,001", "1,002.5"], ";", [998.5, 1001.0, 1002.5]),
        (["998", "1,001,002"], ";", [998.0, 1_001_002.0]),
        (["1,001", "1,002"], ";", [1.001, 1.002]),
        (["998,5", "1,001", "998"], ";", [998.5, 1.001, 998.0]),
        (["0,035", "1,001", "3"], ";", [0.035, 1.001, 3.0]),
        (["1.234,5", "1.001"], ";", [1234.5, 1001.0]),
        (["70,03", "70,1"], ",", [70.03, 70.1]),
        (["1.234", "1.001"], ";", [1.234, 1.001]),
        (["---", "--", "—", "5"], ",", [np.nan, np.nan, np.nan, 5.0]),
    ],
)
def test_a_comma_is_judged_by_its_whole_column(
    read: Read, cells: list[str], delimiter: str, values: list[float]
) -> None:
    table = read([str(n) for n in range(len(cells))], y=cells, delimiter=delimiter)
    np.testing.assert_allclose(table.columns["y"], values)


def test_a_comma_that_may_be_either_is_refused_or_told(read: Read) -> None:
    with pytest.raises(ConfigError, match=r"test.csv:3: y: '1,001' may be thousands or decimals.*decimal point"):
        read(["0", "1"], y=["998", "1,001"])
    with pytest.raises(ConfigError, match=r"test.csv:3: y: '70,03' is not a number"):
        read(["0", "1"], y=["980.5", "70,03"])
    assert "commas in y were read as standing between thousands" in read(["0"], y=["1,001"], delimiter=",").notes
    # a decimal comma elsewhere in the file settles it
    np.testing.assert_allclose(read(["0,5", "1,5"], y=["40", "42,125"]).columns["y"], [40.0, 42.125])


def written(form: str, start: datetime = START) -> list[str]:
    return [f"{start + timedelta(seconds=t):{form}}" for t in SECONDS]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("%d/%m/%Y %H:%M:%S", "day/month/year"),
        ("%m/%d/%Y %H:%M:%S", "month/day/year"),
        ("%m/%d/%Y %I:%M:%S %p", "month/day/year"),
        ("%d-%m-%Y %H:%M:%S", "day/month/year"),
        ("%d.%m.%Y %H:%M:%S", "dates"),
        ("%Y/%m/%d %H:%M:%S.250", "dates"),
        ("%Y-%m-%dT%H:%M:%S+08:00", "dates"),
        ("%Y年%m月%d日 %H:%M:%S", "dates"),
        ("%Y年%m月%d日 %H时%M分%S秒", "dates"),
        ("%H:%M:%S", "times of the day"),
        ("%I:%M:%S %p", "times of the day"),
    ],
)
def test_dates_over_midnight(read: Read, form: str, told: str) -> None:
    table = read(written(form))
    np.testing.assert_allclose(table.t_s, SECONDS)
    assert told in table.notes[0]
    if "%d" in form:  # a time of the day that falls has passed midnight
        np.testing.assert_allclose(read(written(form)[::-1]).t_s, SECONDS)


def test_the_order_of_day_and_month_is_told_by_all_rows_or_refused(read: Read) -> None:
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    np.testing.assert_allclose(read(written("%d/%m/%Y %H:%M:%S", noon)).t_s, SECONDS)  # of one day: no matter
    np.testing.assert_allclose(
        read(written("%d/%m/%Y %H:%M:%S", datetime(2026, 5, 12, 23, 57, tzinfo=UTC))).t_s, SECONDS
    )
    with pytest.raises(ConfigError, match=r"'01/02/2026' may have the day or the month first.*2026-05-04"):
        read([f"0{n}/02/2026" for n in range(1, 9)])
    with pytest.raises(ConfigError, match=r"test.csv:3: t: '13/13/2026' is not a time"):
        read(["12/12/2026", "13/13/2026"])


def test_hours_and_minutes_are_read_unless_they_may_be_minutes_and_seconds(read: Read) -> None:
    np.testing.assert_allclose(read(["23:58", "23:59", "00:00"]).t_s, [0.0, 60.0, 120.0])
    for times, told in ((["00:00", "00:01"], "minutes and seconds"), (["13:00:00 PM"], "is not a time")):
        with pytest.raises(ConfigError, match=told):
            read(times)


@pytest.mark.parametrize(
    ("head", "words", "told"),
    [
        ("t,u,y,y", (), "y: columns 3 and 4 both have this name"),
        ("t,u,y,Y", ("--y", "y"), ""),
        ("t,u,y,y", ("--y", "4"), ""),
        ("t,u,y,x", ("--u", "y"), "--u and --y: both are the column 'y'"),
        ("t,u,y,x", ("--u", "1"), "--time and --u: both are the column 't'"),
        ("t,u,y,x", ("--start", "9999"), "--start: 9999 s is not within the record, which ends at 39 s"),
        ("t,u,y,x", ("--start", "nan"), "--start: nan is not accepted"),
        ("t,u,y,x", ("--end", "inf"), "--end: inf is not accepted"),
        ("t,u,y,x", ("--start", "30", "--end", "10"), "--end: 10 is not after --start 30"),
    ],
)
def test_columns_and_parts_that_make_no_sense_are_exit_2(
    tmp_path: Path, head: str, words: tuple[str, ...], told: str
) -> None:
    path = tmp_path / "test.csv"
    path.write_text("\n".join([head, *(f"{n},40,{n % 7},3" for n in range(40))]))
    done = run("tune", path, *words, "--json")
    assert done.exit_code == (2 if told else 4), done.output
    assert told in done.stderr
    assert (done.stdout == "") == bool(told)


def test_the_unit_is_told_in_text_and_json(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text("\n".join(["Minutes,u,y", *(f"{n},40,{n % 7}" for n in range(40))]))
    said = "times were read as minutes, as the column's name says"
    assert said in json.loads(run("tune", path, "--time", "Minutes", "--json").stdout)["warnings"]
    assert said in " ".join(run("tune", path, "--time", "Minutes").stdout.split())


def test_an_assessment_takes_words_for_modes_and_both_limits_or_none(tmp_path: Path) -> None:
    path = tmp_path / "loop.csv"
    rng = np.random.default_rng(1)
    modes = ["MAN", "Auto", "CAS", "手动"]
    rows = [f"{n},{60 + rng.normal():.3f},60,{50 + rng.normal():.3f},{modes[n // 100]}" for n in range(400)]
    path.write_text("\n".join(["t,pv,sp,op,mode", *rows]), encoding="utf-8")
    done = run("assess", path, "--mode", "mode", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["loops"][0]["service_factor"] == pytest.approx(0.5, abs=0.01)
    for given, other in (("--op-high", "--op-low"), ("--op-low", "--op-high")):
        done = run("assess", path, given, 100)
        assert (done.exit_code, f"give {other} too" in done.stderr) == (2, True)
    path.write_text(path.read_text(encoding="utf-8").replace("CAS", "FOO"), encoding="utf-8")
    done = run("assess", path, "--mode", "mode")
    assert (done.exit_code, "'FOO' is not a mode" in done.stderr, "MAN, AUTO, CAS" in done.stderr) == (2, True, True)
