"""A meter that a laboratory checks: its soft tags, its values, its readings then, the bias from both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from linecontrol.config import LineConfig
from linecontrol.config.line import LabMeter
from linecontrol.control.meter_bias import Bias, BiasSettings, Judged, MeterReading, Pair, Verdict, estimate_bias
from linecontrol.core.model import DataType, Sample, Tag, Text
from linecontrol.history import LabRow
from linecontrol.line.lab_due import LabCheck

STATION = "line"
UNKNOWN = Bias(0.0, math.inf)


def lab_tags(config: LineConfig) -> list[Tag]:
    """The soft tags of the meters that are checked by a laboratory."""
    tags = []
    for row in config.line.laboratory:
        meter = next(tag for tag in config.tags if tag.name == row.tag)

        def tag(
            key: str,
            en: str,
            zh: str,
            low: float,
            high: float,
            *,
            of: Tag = meter,
            writable: bool = False,
            kind: DataType = DataType.FLOAT64,
            choices: Sequence[tuple[int, str]] = (),
        ) -> Tag:
            title, name = Text(f"{of.title.en}, {en}", f"{of.title.zh}{zh}"), f"{of.name}.{key}"
            unit = "" if choices else of.unit
            return Tag(
                name, STATION, title, unit, kind, name, low=low, high=high, writable=writable, choices=tuple(choices)
            )

        yes = ((0, "no"), (1, "yes"))
        tags += [
            tag("BIAS", "bias found by the laboratory", "（化验偏差）", -row.most, row.most),
            tag("BIAS_U", "standard uncertainty of the bias", "（偏差标准不确定度）", 0.0, math.inf),
            tag("COR", "corrected for the bias", "（修正值）", meter.low, meter.high),
            tag(
                "BIAS_OK",
                "correction accepted",
                "（修正已确认）",
                0,
                1,
                writable=True,
                kind=DataType.UINT16,
                choices=yes,
            ),
        ]
    return tags


@dataclass
class Meter:
    """One meter of the line file's ``laboratory:``."""

    row: LabMeter
    tag: Tag
    settings: BiasSettings
    entries: dict[str, LabRow] = field(default_factory=dict)
    readings: dict[str, MeterReading | None] = field(default_factory=dict)
    judged: dict[str, Judged] = field(default_factory=dict)
    bias: Bias = UNKNOWN
    applied: float = 0.0  # the part of the bias that has reached the loop
    accepted: Bias | None = None
    heard: str | None = None  # the newest value that was told on

    def news(self, now: float) -> LabCheck | None:
        """The newest value that is believed; None when it has been told on already."""
        for row in reversed(self.counted):
            judged, reading = self.judged.get(row.lab_id), self.readings.get(row.lab_id)
            if judged is not None and reading is not None and judged.verdict is Verdict.USED:
                if row.lab_id == self.heard:
                    return None
                self.heard = row.lab_id
                u = math.hypot(row.u, reading.u, self.settings.sampling_u)
                return LabCheck(judged.difference - self.bias.value, u, max(now - row.sampled_at, 0.0))
        return None

    @property
    def counted(self) -> list[LabRow]:
        """Values that no later entry replaces, by the time of their sample."""
        gone = {row.replaces for row in self.entries.values()}
        rows = [row for row in self.entries.values() if row.lab_id not in gone]
        return sorted(rows, key=lambda row: (row.sampled_at, row.entered_at))

    def samples_used(self, apart_s: float) -> int:
        """Of how many samples the values used are: those taken nearer together than ``apart_s`` [s] are of one."""
        count, last = 0, -math.inf
        for row in self.counted:
            judged = self.judged.get(row.lab_id)
            if judged is not None and judged.verdict is Verdict.USED and row.sampled_at - last >= apart_s:
                count, last = count + 1, row.sampled_at
        return count

    def judge(self, now: float) -> None:
        rows = self.counted
        pairs = [Pair(row.sampled_at, row.value, row.u, self.readings.get(row.lab_id)) for row in rows]
        self.bias, judged = estimate_bias(self.settings, pairs, now)
        self.judged = {row.lab_id: one for row, one in zip(rows, judged, strict=True)}

    def corrected(self, sample: Sample, bias: float) -> Sample:
        """The same sample without this bias, within the meter's range."""
        value = sample.number
        if bias == 0.0 or not math.isfinite(value):
            return sample
        return sample._replace(value=min(max(value - bias, self.tag.low), self.tag.high))
