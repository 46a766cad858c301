"""The validation table: every check computes, moves with what it looks at, and the documentation names the same."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linecontrol.cli.commands import app
from linecontrol.twin import validate as twin_validate
from simulator.parameters import default_parameters
from simulator.validation import CHECKS, Bench, Check, Kind, Row, Span, validate
from simulator.validation.air import bisected_bulb_c, wagner_pa
from simulator.validation.bounds import abused
from simulator.validation.wording import counted, markdown, parts

DOC = Path(__file__).parents[2] / "docs" / "plant.md"
BY_NAME = {check.name: check for check in CHECKS}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="module")
def rows(bench: Bench) -> list[Row]:
    return list(validate(bench=bench))


def value(name: str, on: Bench | None = None, **changes: float) -> float:
    """A check's value on a bench, or with some parameters changed (written ``rasp__size_um``)."""
    if on is None:
        dotted = {key.replace("__", "."): new for key, new in changes.items()}
        on = Bench(default_parameters().with_values(dotted))
    return BY_NAME[name].value(on)


def written() -> dict[str, str]:
    """Check to verdict, as the table in the documentation has them."""
    found = {}
    for line in DOC.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 6 and cells[5] and cells[0] != "check":
            found[cells[0]] = cells[4].split(" by ")[0]
    return found


# --- the table --------------------------------------------------------------------------------------------------------


def test_names_are_unique_and_every_check_says_its_source() -> None:
    assert len(BY_NAME) == len(CHECKS)
    for check in CHECKS:
        assert check.evidence in ("S", "G", "D"), check.name
        assert len(check.source) > 3, check.name
        assert "|" not in check.name + check.source + check.unit, check.name


def test_every_value_is_a_number_and_no_bound_is_broken(rows: list[Row]) -> None:
    assert [row.name for row in rows] == [check.name for check in CHECKS]
    assert all(math.isfinite(row.value) for row in rows)
    assert [row.name for row in rows if row.is_broken] == []
    assert sum(row.kind is Kind.BOUND for row in rows) >= 20


def test_both_ends_of_the_yield_are_reproduced(rows: list[Row]) -> None:
    found = {row.name: row for row in rows}
    low = found["powder of wild lobata, craft, root as delivered"]
    high = found["powder of selected thomsonii, mechanised, root as delivered"]
    assert low.verdict == high.verdict == "inside"
    assert low.value == pytest.approx(7.0, abs=0.5)
    assert high.value == pytest.approx(25.0, abs=0.5)


def test_the_documentation_has_the_same_checks_and_verdicts(rows: list[Row]) -> None:
    table = written()
    assert list(table) == [check.name for check in (*CHECKS, *twin_validate.TRIAL_CHECKS)]
    shown = {name: verdict.replace("kept", "bound kept") for name, verdict in table.items()}
    assert {row.name: row.verdict for row in rows}.items() <= shown.items()


def test_rows_are_plain_json_and_read_as_tables(rows: list[Row]) -> None:
    plain = json.loads(json.dumps([row.plain() for row in rows], allow_nan=False))
    one = next(row for row in plain if row["check"] == "powder of wild lobata, craft, root as washed")
    assert one["verdict"] == "outside"
    assert one["off_by"] == pytest.approx(one["simulated"] - one["high"])
    assert one["error_pct"] == pytest.approx(100.0 * (one["simulated"] / one["point"] - 1.0))
    assert sum(len(part.lines) for part in parts(rows)) == len(rows)
    assert markdown(rows).count("\n| **") == len(parts(rows))
    assert f"{len(rows)} checks" in counted(rows)
    assert "all kept" in counted(rows)


def test_the_command_prints_them_with_those_of_a_run_on_the_twin(
    bench: Bench, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin's run is made; the simulator's own rows, of the same plant, are those made above."""

    def made_before(bench: Bench) -> list[Row]:
        benches.append(bench)
        return rows

    benches: list[Bench] = []
    monkeypatch.setattr(twin_validate, "validate", made_before)
    done = CliRunner().invoke(app, ["simulate", "--validate", "--json"])
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert [of.parameters for of in benches] == [bench.parameters]
    assert found["summary"]["checks"] == len(found["rows"]) > 100
    assert found["summary"]["broken"] == 0
    by_name = {row["check"]: row for row in found["rows"]}
    assert list(by_name) == [check.name for check in twin_validate.ALL_CHECKS]
    record = by_name["extraction yield on record"]
    assert record["verdict"] == "inside"
    assert record["low"] < record["simulated"] < record["high"]
    assert all(row["source"] and row["evidence"] in "SGD" for row in by_name.values())


# --- how a value is judged --------------------------------------------------------------------------------------------


def _row(kind: Kind, number: float, span: Span) -> Row:
    check: Check[None] = Check("g", "n", "kg", kind, "D", "source", lambda _: number, span)
    return check.run(None)


def test_a_value_is_judged_by_its_span() -> None:
    seven = Span.printed(7.0, 1.0)
    assert _row(Kind.PUBLISHED, 7.4, seven).verdict == "inside"
    far = _row(Kind.PUBLISHED, 8.0, seven)
    assert (far.verdict, far.error, far.off_by) == ("outside", 1.0, 0.5)
    assert far.error_pct == pytest.approx(100.0 / 7.0)
    low = _row(Kind.DESIGN, 1.5, Span(2.0, 3.0))
    assert (low.error, low.off_by, low.error_pct) == (-0.5, -0.5, -25.0)
    assert _row(Kind.DESIGN, 2.5, Span(2.0, 3.0)).error == 0.0
    assert _row(Kind.BOUND, 1.1, Span.at_most(1.0)).is_broken
    assert not _row(Kind.BOUND, 0.9, Span.at_most(1.0)).is_broken
    assert _row(Kind.DESIGN, -1.0, Span.at_least(0.0)).verdict == "outside"


def test_a_value_that_is_none_is_never_inside() -> None:
    row = _row(Kind.BOUND, math.nan, Span(-math.inf, math.inf))
    assert row.is_broken
    assert row.plain()["simulated"] is None
    assert "1 BROKEN" in counted([row])


# --- each check looks at what it says it does -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes", "sign"),
    [
        ("soil behind the drum, 1 t/h and 3 m3/h", {"trommel__wash_rate_per_min": 3.0}, 1),
        ("soil behind the drum at 3.0 m3/h, against its law", {"trommel__residence_s": 50.0}, 1),
        ("starch freed in mash of 200 um", {"rasp__cell_um": 60.0}, -1),
        ("cutting energy at 75 um over the factor for kudzu", {"rasp__energy_kwh_t": 12.0}, 1),
        ("granules caught by two passes at 14 °C", {"concentrator__cyclone_bar": 2.0}, -1),
        ("d50 of a 10 mm cyclone", {"concentrator__cyclone_l_min": 6.0}, 1),
        ("cake moisture, mean of two hours without a rinse", {"dewatering__floor_pct_wb": 39.0}, 1),
        ("growth in slurry, 10 h at 28 °C", {"clocks__lag_h": 4.0}, -1),
        ("isotherm, worst of 21 points", {"isotherm__monolayer_db": 0.080}, 1),
        ("net heat of sorption at 5 % db", {"isotherm__c_heat_j_mol": 6000.0}, 1),
        ("gain of cake moisture, nominal point", {"dryer__critical_moisture_db": 0.35}, 1),
        ("particle behind the duct at the nominal point", {"dryer__exchange_kw_kg_k": 0.5}, -1),
        ("heat per water evaporated at inlet 150, outlet 50 °C", {"dryer__wall_outside_kw_k": 0.3}, 1),
        ("inlet air after a step of the valve: lag", {"heater__metal_kj_k": 300.0}, 1),
        ("MT-306 after a step of inlet air: dead time", {"packing__transport_s": 60.0}, 1),
    ],
)
def test_a_check_moves_with_what_it_looks_at(bench: Bench, name: str, changes: dict[str, float], sign: int) -> None:
    shipped, changed = value(name, bench), value(name, **changes)
    assert (changed - shipped) * sign > 0.01 * abs(shipped), (shipped, changed)


def test_yield_moves_with_the_root_and_with_the_line(bench: Bench) -> None:
    name = "powder of wild lobata, craft, root as washed"
    shipped = default_parameters()
    richer = replace(shipped.species["lobata_wild"], starch_mean_pct=18.0)
    on = Bench(replace(shipped, species={**shipped.species, "lobata_wild": richer}))
    assert value(name, on) / value(name, bench) == pytest.approx(18.0 / 14.0, rel=0.1)
    assert value("starch caught by cyclones or settling, mechanised", concentrator__cyclone_passes=1.0) < 0.95


def test_a_leak_in_the_books_breaks_a_bound(bench: Bench) -> None:
    pulp = abused(bench).books.exits["pulp"]
    starch_kg = pulp[0]
    name = "starch that no book accounts for"
    assert not BY_NAME[name].run(bench).is_broken
    pulp[0] += 0.01  # ten grams of starch that never came in
    try:
        assert BY_NAME[name].run(bench).is_broken
    finally:
        pulp[0] = starch_kg


def test_the_bounds_of_the_duct_can_be_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    from simulator.validation import duct_bounds

    honest = duct_bounds.through_lanes

    def hotter(*args: object) -> object:
        end = honest(*args)  # type: ignore[arg-type]
        return end._replace(air_c=end.air_c + 1.0, product_c=end.air_c + 2.0)

    monkeypatch.setattr(duct_bounds, "through_lanes", hotter)
    broken = {row.name for row in validate(duct_bounds.CHECKS[:3]) if row.is_broken}
    assert broken == {"heat that appears or vanishes", "powder above its air or below the wet bulb"}


# --- the other side of the comparison ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("temp_c", "pressure_pa"), [(20, 2339.32), (100, 101418.0), (190, 1255236.16)])
def test_the_independent_saturation_pressure_is_that_of_steam(temp_c: float, pressure_pa: float) -> None:
    assert wagner_pa(temp_c) == pytest.approx(pressure_pa, rel=2e-4)


def test_the_independent_wet_bulb_agrees_with_a_library() -> None:
    for temp_c, humidity, bulb_c in ((18, 0.00773, 13.41), (55, 0.088962, 50.83), (160, 0.011595, 43.97)):
        assert bisected_bulb_c(temp_c, humidity) == pytest.approx(bulb_c, abs=0.15)
