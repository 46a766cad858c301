"""The yield comes from counters and compositions, survives resets and gaps, and carries its uncertainty."""

import math

from hypothesis import given
from hypothesis import strategies as st

from linecontrol.analysis.extraction import Declared, Extraction, ExtractionTags
from linecontrol.core.model import Sample, Status

TAGS = ExtractionTags("WR", "AS", "WP", "MP", "RP", ("WD",), ("FW",), ("JE",))


def look(
    root: float | None = 0.0,
    starch: float | None = 20.0,
    powder: float | None = 0.0,
    moisture: float | None = 13.0,
    rate: float = 100.0,
    diverted: float = 0.0,
) -> dict[str, Sample]:
    values = {"WR": root, "AS": starch, "WP": powder, "MP": moisture, "RP": rate, "WD": diverted, "FW": 0.0, "JE": 0.0}
    return {
        name: Sample(value, Status.GOOD if value is not None else Status.BAD_SENSOR_FAILURE, 0.0)
        for name, value in values.items()
    }


def test_yield_of_a_plain_run() -> None:
    run = Extraction(TAGS, Declared(purity=0.97), 13.0)
    run.advance(look(root=1000.0, powder=500.0), 1.0)  # counters do not begin at zero
    run.advance(look(root=1300.0, powder=556.0), 1.0)
    assert run.root_kg == 300.0
    assert abs(run.root_starch_kg - 60.0) < 1e-9
    assert abs((run.extraction_yield or 0) - 56.0 * 0.87 * 0.97 / 60.0) < 1e-12
    # by hand: sqrt(.005² + (.6/20)² + .003² + (.2/87)² + (.01/.97)²) = 3.23 %
    assert abs((run.extraction_yield_u or 0) / (run.extraction_yield or 1) - 0.03232) < 1e-4


def test_no_roots_no_yield() -> None:
    record = Extraction(TAGS, Declared(), 13.0).record()
    assert record["extraction_yield"] is None
    assert record["extraction_yield_u"] is None


def test_a_gap_and_a_counter_reset_lose_nothing_that_was_counted() -> None:
    run = Extraction(TAGS, Declared(), 13.0)
    run.advance(look(root=100.0), 1.0)
    run.advance(look(root=None, starch=None), 1.0)  # link away; the PLC counts on
    run.advance(look(root=150.0), 1.0)
    run.advance(look(root=4.0), 1.0)  # PLC restarted: counter from zero
    assert run.root_kg == 54.0
    assert run.counters["WR"].resets == 1


def test_state_survives_a_restart_exactly() -> None:
    run = Extraction(TAGS, Declared(), 13.0)
    for step in range(5):
        run.advance(look(root=10.0 * step, powder=2.0 * step, moisture=12.0 + step), 1.0)
    again = Extraction.from_dict(run.to_dict(), TAGS, Declared())
    assert again == run
    again.advance(look(root=60.0, powder=20.0), 1.0)
    assert again.root_kg == 60.0  # what was fed while the controller was away is counted


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(8, 20)), min_size=2, max_size=40))
def test_moisture_statistics_are_weighted_by_mass(steps: list[tuple[float, float]]) -> None:
    run = Extraction(TAGS, Declared(), 13.0)
    run.advance(look(), 1.0)
    total = 0.0
    for mass_kg, moisture in steps:
        total += mass_kg
        run.advance(look(powder=total, moisture=moisture), 1.0)
    kept = [(m, x) for m, x in steps if m > 0]
    weight = math.fsum(m for m, _ in kept)
    if weight < 1e-6:
        return
    mean = math.fsum(m * x for m, x in kept) / weight
    found = run.moisture_mean_pct_wb
    assert found is not None
    assert abs(found - mean) < 1e-6
