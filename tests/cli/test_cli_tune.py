"""`linecontrol tune --csv`, `linecontrol assess --csv`: what stdout holds, exit codes, what is forgiven, what not."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from assessment_loops import simulate
from click.testing import Result
from rich.console import Console
from tuning_plants import relay_test
from typer.testing import CliRunner

from linecontrol.cli import tune_stages
from linecontrol.cli.commands import app
from linecontrol.control.tuning import IsaGains, Process, margins, response

TRUTH = Process(0.6, 60.0, 14.0)
Write = Callable[..., Path]


def step_record(noise: float = 0.05, gain: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t = np.arange(0.0, 600.0, 3.0)
    u = np.where(t >= 90.0, 48.0, 40.0)
    y = 80.0 + gain * response(TRUTH, t, u) + noise * np.random.default_rng(3).normal(size=len(t))
    return t, u, y


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "test.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def plain(t: np.ndarray, u: np.ndarray, y: np.ndarray, head: str = "t,u,y") -> str:
    return "\n".join([head, *(f"{a:.6g},{b:.6g},{c:.6g}" for a, b, c in zip(t, u, y, strict=True))])


def tune(*words: object) -> Result:
    return CliRunner().invoke(app, ["tune", *map(str, words)])


def test_json_has_the_model_the_gains_and_what_they_do(written: Write) -> None:
    t, u, y = step_record()
    done = tune("--csv", written(plain(t + 1000.0, u, y)), "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["outcome"] == "tuned"
    low, high = said["model"]["intervals_95"]["gain"]
    assert low < 0.6 < high
    best = said["recommended"]
    gains = IsaGains(best["kp"], best["ti_s"], best["td_s"], best["n"], best["b"], best["c"])
    there = margins(TRUTH, gains, period_s=3.0)
    assert there.worst < 1.6
    assert best["ms"] == pytest.approx(there.ms, rel=0.15)
    assert {row["rule"] for row in said["alternatives"]} >= {"SIMC PI", "AMIGO PID", "lambda PI"}
    assert all(row["formula"] and row["source"] and row["form"] == "ISA" for row in said["alternatives"])
    blocks = {row["block"]: row["values"] for row in said["notations"]}
    assert set(blocks) == {"ISA", "parallel", "series", "PID_Compact", "FB_CTRL_PID", "CODESYS PID"}
    assert blocks["parallel"]["ki_per_s"] == pytest.approx(best["kp"] / best["ti_s"], rel=1e-4)


def test_the_table_and_the_chart(written: Write, tmp_path: Path) -> None:
    for name in ("chart.png", "chart.svg"):
        done = tune("--csv", written(plain(*step_record())), "--structure", "pi", "--plot", tmp_path / name)
        assert done.exit_code == 0, done.output
        assert (tmp_path / name).stat().st_size > 5000
    for word in ("optimal PI", "SIMC PI", "PID_Compact", "What to do next", "Delay"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        (lambda t, u, y: plain(t, u, y).replace(",", ";").replace(".", ","), ()),
        (lambda t, u, y: plain(t, u, y).replace(",", "\t"), ()),
        (lambda t, u, y: "sep=,\n" + plain(t, u, y), ()),
        (lambda t, u, y: "# trend of TIC-1\n\n" + plain(t, u, y, "T , U , Y "), ()),
        (lambda t, u, y: plain(t, u, y, "t,u,y\ns,%,degC"), ()),
        (lambda t, u, y: plain(t, u, y).split("\n", 1)[1], ("--time", 1, "--u", 2, "--y", 3)),
        (lambda t, u, y: plain(1000.0 * t, u, y, "t_ms,u,y"), ("--time", "t_ms")),
        (lambda t, u, y: plain(t[::-1], u[::-1], y[::-1]), ()),
        (
            lambda t, u, y: "\n".join(
                ["when;u;y", *(f"{_iso(a)};{b};{c:.3f}" for a, b, c in zip(t, u, y, strict=True))]
            ),
            ("--time", "when"),
        ),
        (lambda t, u, y: plain(t, u, y).replace("\n30,40,", "\n30,,").replace("\n33,40,", "\n33,nan,"), ()),
    ],
)
def test_usual_dialects_give_the_same_model(
    written: Write, dialect: Callable[..., str], words: tuple[str, ...]
) -> None:
    done = tune("--csv", written(dialect(*step_record())), *words, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["model"]["gain"] == pytest.approx(0.6, rel=0.03)


def _iso(seconds: float) -> str:
    return f"2026-05-01 23:{55 + int(seconds) // 60:02d}:{int(seconds) % 60:02d}" if seconds < 300 else _late(seconds)


def _late(seconds: float) -> str:
    return f"2026-05-02 00:{int(seconds - 300) // 60:02d}:{int(seconds) % 60:02d}"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_encodings(written: Write, encoding: str) -> None:
    path = written(plain(*step_record(), "时间,开度,温度"), encoding)
    assert tune("--csv", path, "--time", "时间", "--u", "开度", "--y", "温度", "--json").exit_code == 0


def test_a_quality_column_and_blank_cells_are_missing_values(written: Write) -> None:
    t, u, y = step_record()
    rows = [f"{a},{b},{c + 50.0 * (n % 9 == 5)},{'bad' if n % 9 == 5 else 'good'}" for n, (a, b, c) in _rows(t, u, y)]
    path = written("\n".join(["t,u,y,q", *rows]))
    said = json.loads(tune("--csv", path, "--quality", "q", "--json").stdout)
    assert said["model"]["gain"] == pytest.approx(0.6, rel=0.05)
    assert any("missing" in warning for warning in said["warnings"])


def _rows(*columns: np.ndarray) -> list[tuple[int, tuple[float, ...]]]:
    return list(enumerate(zip(*columns, strict=True)))


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("t,u,y\n1,2,3", ("--u", "valve"), ("test.csv:1", "valve", "t, u, y")),
        ("t,u,y\n1,2,3\n2,2,oops\n", (), ("test.csv:3", "y", "'oops' is not a number")),
        ("t,u,y\nsoon,2,3\n2,2,1\n", (), ("test.csv:2", "t", "'soon' is not a time")),
        ("t,u,y,q\n1,2,3,maybe\n2,2,1,good\n", ("--quality", "q"), ("test.csv:2", "q", "good/bad")),
        ("", (), ("empty",)),
        ("t,u,y\n1,2,3", ("--kind", "wave"), ("--kind", "relay")),
        ("t,u,y\n1,2,3", ("--max-ms", "0.9"), ("above 1",)),
        ("t,u,y\n1,2,3", ("--expected-sign", "3"), ("1 or -1",)),
        ("t,u,y\n1,2,3", ("--plot", "chart.xyz"), (".png",)),
        ("t,u,y\n1,2,3", ("--nonsense",), ("--nonsense",)),
    ],
)
def test_bad_input_is_exit_2_and_says_where(
    written: Write, text: str, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    done = tune("--csv", written(text), *words, "--json")
    assert done.exit_code == 2
    assert done.stdout == ""
    for word in told:
        assert word in " ".join(done.stderr.split())


def test_no_file_no_loop_and_both() -> None:
    for words, told in (
        (("--csv", "/nowhere.csv"), "no such file"),
        ((), "--csv FILE"),
        (("TIC-303", "--csv", "x.csv"), "one of the two"),
    ):
        done = tune(*words)
        assert done.exit_code == 2
        assert told in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--gains", "k=nan,ti_s=10", "--yes"), "k nan is not accepted"),
        (("--gains", "k=1,ti_s=inf", "--yes"), "ti_s inf is not accepted"),
        (("--test", "step", "--size", "nan"), "size nan is not accepted"),
    ],
)
def test_what_is_no_number_never_reaches_a_controller(words: tuple[str, ...], told: str) -> None:
    done = tune("TIC-303", "--url", "http://127.0.0.1:9", "--who", "li", *words)
    assert (done.exit_code, told in done.stderr) == (2, True)


def test_what_cannot_be_tuned_is_exit_4_with_code_and_reason(written: Write) -> None:
    t, u, y = step_record()
    path = written(plain(t, u, y))
    done = tune("--csv", path, "--expected-sign", "-1", "--json")
    assert done.exit_code == 4
    said = json.loads(done.stdout)
    assert said["outcome"] == "refused"
    assert said["refusal"]["code"] == "wrong-sign"
    assert said["refusal"]["what_to_do"]
    flat = tune("--csv", written(plain(t, np.full_like(u, 40.0), y)))
    assert flat.exit_code == 4
    assert "did not move" in " ".join(flat.stdout.split())


def test_an_actuator_that_makes_no_small_moves_is_known_to_the_tuner(written: Write) -> None:
    path = written(plain(*step_record()))  # of 8
    said = json.loads(tune("--csv", path, "--smallest-move", 0.5, "--json").stdout)
    assert any("go to and fro by about 0.3 whatever the gains" in warning for warning in said["warnings"])
    refused = tune("--csv", path, "--smallest-move", 2, "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["refusal"]["code"]) == (4, "small-step")
    assert "(accepted: 10 or more)" in json.loads(refused.stdout)["refusal"]["reason"]
    assert tune("--csv", path, "--smallest-move", "nan").exit_code == 2


def test_a_move_between_rows_is_allowed_for_unless_it_is_told_to_be_at_them(written: Write) -> None:
    path = written(plain(*step_record()))
    usual, exact = (json.loads(tune("--csv", path, *more, "--json").stdout) for more in ((), ("--moved-at-rows",)))
    (low, high), (other_low, other_high) = (one["model"]["intervals_95"]["delay_s"] for one in (usual, exact))
    assert (low, high) == (other_low, pytest.approx(other_high + 3.0))
    assert abs(usual["recommended"]["kp"]) <= abs(exact["recommended"]["kp"])


def test_a_relay_test_is_seen_as_one(written: Write) -> None:
    t, u, y = relay_test(20.0, 10.0, load=0.3, noise=0.02, seed=1)
    said = json.loads(tune("--csv", written(plain(t, u, y)), "--json").stdout)
    assert said["kind"] == "relay"
    assert said["model"]["gain"] == pytest.approx(1.0, rel=0.1)
    assert said["model"]["delay_s"] == pytest.approx(10.0, rel=0.15)


def test_a_terminal_sees_what_it_waits_for_and_nothing_else_does(
    written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(plain(*step_record()))
    for terminal, words in ((True, ()), (True, ("--json",)), (False, ())):
        seen = io.StringIO()
        monkeypatch.setattr(tune_stages, "people", Console(file=seen, force_terminal=terminal, width=100))
        done = tune("--csv", path, *words)
        assert done.exit_code == 0, done.output
        told = [
            text in seen.getvalue() for text in ("reading test.csv", "the process in 200 rows", "working out gains")
        ]
        assert told == [terminal and not words] * 3
        assert "reading" not in done.stdout


def test_the_program_itself_speaks_json_alone(written: Write) -> None:
    command = [sys.executable, "-W", "error", "-m", "linecontrol", "tune", "--csv", written(plain(*step_record()))]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recommended"]["kp"] > 0.0


def test_a_recorded_loop_is_assessed(written: Write, tmp_path: Path) -> None:
    loop = simulate("aggressive tuning", 5)
    rows = [f"{a},{b},{c}" for _, (a, b, c) in _rows(loop.t_s, loop.pv, loop.op)]
    path = written("\n".join(["t,pv,op", *rows]))
    words = ["assess", "--csv", str(path), "--sp", "60", "--delay", "8", "--plot", str(tmp_path / "a.png")]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["loops"][0]
    assert found["diagnosis"]["verdict"] == "aggressive tuning"
    assert 0.0 < found["harris"]["index"] < 0.6
    assert (tmp_path / "a.png").stat().st_size > 5000
    assert "aggressive tuning" in CliRunner().invoke(app, words).stdout


def test_an_assessment_says_what_is_wrong_with_its_words(written: Write) -> None:
    path = written("t,pv,sp,op\n1,2,3,4")
    for words, told, code in (
        (("--csv", path, "--delay", "x"), "--delay", 2),
        (("--csv", path, "--last", "8h"), "without loops", 2),
        (("--csv", path), "too few", 4),
        (("NO-1", "--last", "8h"), "TIC-303", 2),
        (("--last", "8 parsecs"), "8h", 2),
        (("--op-low", "0", "--op-high", "100"), "--op-low, --op-high: only with --csv FILE; the limits of a line's", 2),
        (("TIC-303", "--op-high", "100"), "--op-high: only with --csv FILE", 2),
        (("--pv", "x", "--mode", "m"), "--mode, --pv: only with --csv FILE", 2),
    ):
        done = CliRunner().invoke(app, ["assess", *map(str, words)])
        assert done.exit_code == code, done.output
        assert told in " ".join(done.output.split())
