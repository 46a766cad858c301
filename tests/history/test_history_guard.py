"""What the guard keeps comes back as it was: deviations, the register, bypasses."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from linecontrol.core.errors import StorageError
from linecontrol.core.model import DataType, Tag, Text
from linecontrol.history import BagRow, BypassRow, CalibrationRow, DeviationRow, Historian, open_reader
from linecontrol.history.trace import NO_LOT, bags_of_lot

TAGS = [Tag("MT-306", "drying", Text("Moisture", "水分"), "% wb", DataType.FLOAT64, "x")]
AT = 1_768_190_400.25
DEVIATION = DeviationRow(
    "D1-CCP1", "run-1", "CCP1", "ccp", "packing", AT - 60.0, AT, None, math.nan, 14.0, "% wb",
    "wet", "湿", "dry it", "再干燥", "operator",
)  # fmt: skip


async def test_what_is_kept_comes_back(url: str, tmp_path: Path) -> None:
    historian = Historian(url, tmp_path / "spool", "demo", TAGS)
    await historian.start()
    try:
        historian.deviation(DEVIATION)
        acted = replace(
            DEVIATION, value=14.6, until=AT + 30.0, state="acted", action="dried", acted_by="li", acted=AT + 99.5
        )
        other = replace(DEVIATION, deviation_id="D2", run_id="run-2", opened=AT + 5.0)
        await historian.save_deviation(other)
        await historian.save_deviation(acted)
        assert [row.deviation_id for row in await historian.deviations()] == ["D2", "D1-CCP1"]
        assert await historian.deviations(run_id="run-1") == [acted]
        (found,) = await historian.deviations(state="open")
        assert math.isnan(found.value)
        assert found.until is None
        assert [row.deviation_id for row in await historian.deviations(since=AT + 40.0)] == ["D2"]
        assert await historian.deviations(until=AT - 61.0) == []

        entry = CalibrationRow("C1", "METAL-TEST", "verification", "QT-321", AT, AT + 3600.0, AT + 1.0, "li", "passed")
        await historian.save_calibration(entry)
        assert await historian.calibrations("METAL-TEST") == [entry]
        assert await historian.calibrations("MAGNET") == []

        bypass = BypassRow("B1", "IL-307", "wang", "swapped", AT, AT + 600.0)
        await historian.save_bypass(bypass)
        ended = replace(bypass, ended=AT + 60.0, ended_by="li")
        await historian.save_bypass(ended)
        assert await historian.bypasses() == [ended]
        assert await historian.bypasses(since=AT + 61.0) == []
        await historian.save_trace(BagRow("r-B001", "r", 1, "good", AT, AT, AT, 25.0, lots=[(NO_LOT, 1.0, 25.0)]))
    finally:
        await historian.stop()
    with open_reader(url) as reader:
        _, bags = bags_of_lot(reader, NO_LOT)
        assert [one.bag.bag_id for one in bags] == ["r-B001"], "a recall may ask for roots that nobody named"
        with pytest.raises(StorageError, match="no lot 'west'"):
            bags_of_lot(reader, "west")
