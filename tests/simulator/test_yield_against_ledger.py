"""The yield from measured tags against the plant's own ledger: within two standard uncertainties in 95 % of runs.

Each seed draws another lot and another set of instrument errors. The measured side sees only what ``measure`` shows.
"""

import math
from functools import cache

from test_plant_run import Operator

from linecontrol.analysis.extraction import Declared, Extraction, ExtractionTags
from linecontrol.config import read_line
from linecontrol.core.model import Sample, Status
from simulator.plant import Plant

SEEDS = 40
ROOT_KG = 120.0  # calibration errors make the uncertainty: it is 0.027 of 300 kg and hardly another of 120 kg


@cache
def declared() -> tuple[ExtractionTags, Declared]:
    """Tags and uncertainties as the shipped line file declares them."""
    rows, guard = read_line("demo").line.yield_, read_line("demo").line.guard
    assert rows is not None
    assert guard is not None
    tags = ExtractionTags(
        rows.root_total,
        rows.root_starch,
        rows.powder_total,
        rows.powder_moisture,
        rows.powder_rate,
        guard.diverted_totals,
        rows.water_totals,
        rows.energy_totals,
    )
    purity = rows.powder_purity
    return tags, Declared(purity=purity.value, purity_u=purity.u, **rows.uncertainty.model_dump())


def one_run(seed: int) -> tuple[float, float, float]:
    """Measured yield, its standard uncertainty, and the true yield of a short run."""
    tags, uncertainty = declared()
    plant = Plant(seed=seed)
    operator, counted = Operator(plant, steps=1, root_kg=ROOT_KG), Extraction(tags, uncertainty, 12.8)
    for second in range(75 * 60):
        operator.second()
        if second % 2 == 0:
            shown = plant.measure()
            samples = {
                name: Sample(None, Status.BAD_SENSOR_FAILURE, 0.0)
                if math.isnan(value)
                else Sample(value, Status.GOOD, 0.0)
                for name, value in shown.items()
            }
            counted.advance(samples, 2.0)
        if operator.stage == "cool":
            break
    found, spread = counted.extraction_yield, counted.extraction_yield_u
    assert found is not None
    assert spread is not None
    return found, spread, plant.truth()["extraction_yield"]


def test_measured_yield_covers_the_true_one() -> None:
    runs = [one_run(seed) for seed in range(SEEDS)]
    for seed, (found, spread, true) in enumerate(runs):
        print(f"seed {seed:2} measured {found:.3f} ± {spread:.3f} true {true:.3f} {(found - true) / spread:+.2f} u")
    within = sum(abs(found - true) <= 2.0 * spread for found, spread, true in runs)
    assert within >= 0.95 * SEEDS
    # and the uncertainty is not padded: about two thirds lie within one u
    assert sum(abs(found - true) <= spread for found, spread, true in runs) <= 0.9 * SEEDS
