"""Laboratory values of a line's meters: taken in late, each with the time of its own sample; the bias they show.

Nothing of this is kept in a file of its own: after a restart the bias is worked out again from the history, where the
values and the meter's readings lie.

* The *loop* acts on the corrected reading: the best there is. A new bias reaches it slowly, so that it makes no bump.
* The *guard* holds the reading as it is and the corrected one against the critical limit, and believes the worse,
  until a person accepts the correction (``MT-306.BIAS_OK``). The acceptance lapses when the bias moves away from what
  was accepted, when no laboratory value has come for long, and when the controller is started anew.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from linecontrol.control.meter_bias import (
    BiasSettings,
    Verdict,
    reading_around,
)
from linecontrol.control.setpoint import ramp
from linecontrol.core.errors import ConfigError, DeviceRefused, LineError, Problem, StorageError
from linecontrol.core.model import Event, Sample, Severity, Value
from linecontrol.guard.divert import Corrected
from linecontrol.history import LabRow
from linecontrol.line.lab_due import LabCheck
from linecontrol.line.lab_meter import Meter
from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

MEMORY_S = 30 * 86_400.0  # older values say nothing about a meter that drifts
MOST_VALUES = 400
AGAIN_S = 60.0  # between looks at the bias [line s]; its uncertainty grows slowly
LEAST_ACCEPTED = 2  # samples a correction must stand on before a person can accept it
SAME_S = 30.0  # a person writes down the minute: values nearer together are of one sample, and vouch for each other
LAPSE_LEAST = 0.2  # an accepted bias may move by this, or by two of its uncertainties [tag unit]
_SLACK_S = 2.0  # clocks of a person's screen and the controller


class LabBook:
    """The laboratory's values of one line. ``tick`` once per control cycle."""

    def __init__(self, line: Line) -> None:
        self._line = line
        tags = {tag.name: tag for tag in line.config.tags}
        self._meters = {
            row.tag: Meter(row, tags[row.tag], BiasSettings(row.prior_u, row.drift_u, row.sampling_u, most=row.most))
            for row in line.config.line.laboratory
        }
        self.hear: Callable[[str, LabCheck, float], None] = lambda _tag, _check, _now: None
        """Is told of every new value that is believed: the meter's tag, the value, line time."""
        self.on_run_value: Callable[[str, str, str], Awaitable[None]] = _nobody
        """Is told of a value of a run: its id, who entered it, what it is."""
        self._is_loaded = not self._meters
        self._unread: set[str] = set()
        self._adding = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._next_s = -math.inf
        self._began = math.inf

    def close(self) -> None:
        """The line ends: what has not been read stays unread."""
        if self._reading is not None:
            self._reading.cancel()

    # -- what others act on
    def best(self, tag: str, sample: Sample) -> Sample:
        """The reading a loop acts on: corrected, where there is something to correct."""
        meter = self._meters.get(tag)
        return sample if meter is None else meter.corrected(sample, meter.applied)

    def for_guard(self, samples: Mapping[str, Sample]) -> dict[str, Corrected]:
        """Corrected readings among these, for the guard to believe or not."""
        return {
            name: Corrected(meter.corrected(samples[name], meter.bias.value), meter.accepted is not None)
            for name, meter in self._meters.items()
            if name in samples
        }

    def is_checked(self, tag: str) -> bool:
        """Whether a laboratory checks this meter."""
        return tag in self._meters

    def last_inside(self, tag: str, low: float, high: float) -> float | None:
        """When the newest sample was taken that the laboratory found between these [line s]; None = never."""
        meter = self._meters.get(tag)
        rows = meter.counted if meter is not None else []
        return next((row.sampled_at for row in reversed(rows) if low <= row.value <= high), None)

    def bias_u(self, tag: str) -> float:
        """Standard uncertainty of the corrected reading's bias [tag unit]; NaN for a meter that is never checked."""
        meter = self._meters.get(tag)
        return math.nan if meter is None else meter.bias.u

    # -- the control cycle's share
    def tick(self, dt_s: float, now: float) -> None:
        """Move the applied bias towards the estimated one; now and then look at everything anew."""
        if now >= self._next_s:
            self._began = min(self._began, now)
            self._next_s = now + AGAIN_S
            for meter in self._meters.values():
                meter.judge(now)
            if (not self._is_loaded or self._unread) and (self._reading is None or self._reading.done()):
                self._reading = asyncio.ensure_future(self._read())
        for meter in self._meters.values():
            rate = meter.row.rate_per_min / 60.0
            meter.applied = ramp(meter.applied, meter.bias.value, rate, rate, dt_s)
            self._lapse(meter, now)

    def _lapse(self, meter: Meter, now: float) -> None:
        accepted, bias = meter.accepted, meter.bias
        if accepted is None:
            return
        if abs(bias.value - accepted.value) > max(LAPSE_LEAST, 2.0 * accepted.u):
            why = f"it was accepted at {accepted.value:+.2f} and is now {bias.value:+.2f} {meter.tag.unit}"
        elif bias.last_at_s is None or now - bias.last_at_s > 3600.0 * meter.row.accepted_for_h:
            why = f"the last laboratory value is more than {meter.row.accepted_for_h:g} h old"
        else:
            return
        meter.accepted = None
        text = f"{meter.tag.name}: the acceptance of its correction has lapsed: {why}"
        self._line.emit(Event(now, "lab.lapsed", meter.tag.name, text, Severity.WARNING))

    def show(self, now: float) -> dict[str, Value | None]:
        """Present value of every soft tag; None where the meter itself is not good."""
        values: dict[str, Value | None] = {}
        for name, meter in self._meters.items():
            if not math.isfinite(meter.bias.u):
                meter.judge(now)
            number = self.best(name, self._line.image.at(name, now)).number
            values |= {
                f"{name}.BIAS": round(meter.bias.value, 4),
                f"{name}.BIAS_U": round(meter.bias.u, 4),
                f"{name}.COR": number if math.isfinite(number) else None,
                f"{name}.BIAS_OK": int(meter.accepted is not None),
            }
        return values

    def on_write(self, name: str, value: Value) -> bool:
        """Take a command for a soft tag; False when it is none of ours. Raises DeviceRefused with the reason."""
        tag, _, key = name.rpartition(".")
        meter = self._meters.get(tag)
        if meter is None:
            return False
        if key != "BIAS_OK":
            raise DeviceRefused(f"{name} is read-only")
        if not value:
            meter.accepted = None
            return True
        bias, now = meter.bias, self._line.clock.now()
        samples = meter.samples_used(SAME_S)
        if samples < LEAST_ACCEPTED:
            raise DeviceRefused(
                f"{name}: {samples} samples of the laboratory are too few (accepted: {LEAST_ACCEPTED} or more)"
            )
        if bias.last_at_s is None or now - bias.last_at_s > 3600.0 * meter.row.accepted_for_h:
            raise DeviceRefused(f"{name}: the last laboratory value is more than {meter.row.accepted_for_h:g} h old")
        meter.accepted = bias
        return True

    # -- values
    async def add(
        self,
        tag: str,
        value: float,
        *,
        sampled_at: float,
        who: str,
        u: float | None = None,
        note: str = "",
        run_id: str | None = None,
        lab_id: str | None = None,
        replaces: str | None = None,
    ) -> dict[str, Any]:
        """Take in a value; returns its row as ``rows`` gives it. When this returns it is durable.

        Args:
            sampled_at: line time at which the sample was taken [s since 1970].
            u: standard uncertainty; None = what the line file says.
            lab_id: the asker's own name for it, which makes a retry safe.
            replaces: an earlier entry that was wrong.
        Raises:
            ConfigError: saying which value is wrong and what is accepted. StorageError: it could not be kept.
        """
        row = await self._take_in(tag, value, sampled_at, who, u, note, run_id, lab_id, replaces)
        if row["run_id"] is not None:
            why = f"{tag} {row['value']:g} ± {row['u']:g} {row['unit']} in the laboratory ({row['lab_id']})"
            await self.on_run_value(row["run_id"], who, why)
        return row

    async def _take_in(
        self,
        tag: str,
        value: float,
        sampled_at: float,
        who: str,
        u: float | None,
        note: str,
        run_id: str | None,
        lab_id: str | None,
        replaces: str | None,
    ) -> dict[str, Any]:
        async with self._adding:
            now = self._line.clock.now()
            meter = self._meter_of(tag)
            if lab_id is not None and lab_id in meter.entries:
                return self._row(meter, meter.entries[lab_id])
            self._check(meter, value, u, sampled_at, now, lab_id, replaces)
            run_id = await self._run_at(sampled_at, run_id)
            row = LabRow(
                lab_id or f"L{secrets.token_hex(4)}",
                tag,
                float(value),
                meter.row.u if u is None else float(u),
                sampled_at,
                now,
                who,
                note,
                run_id,
                replaces,
            )
            await self._line.historian.save_lab(row)
            meter.entries[row.lab_id] = row
            await self._read_meter(meter, row)
            meter.judge(now)
            self._tell(meter, row, now)
            self._pass_on(meter, now)
            self._line.haccp.lab_value(row)
            return self._row(meter, row)

    def has(self, lab_id: str) -> bool:
        """Whether a value is among those in hand."""
        return any(lab_id in meter.entries for meter in self._meters.values())

    def of_run(self, tag: str, run_id: str) -> list[tuple[LabRow, float, Verdict]]:
        """Values of a run that have not been replaced: each with what the meter showed then, and what is thought of
        it. Those without a reading are left out."""
        meter = self._meters[tag]
        return [
            (row, reading.mean, meter.judged[row.lab_id].verdict)
            for row in meter.counted
            if row.run_id == run_id
            and row.lab_id in meter.judged
            and (reading := meter.readings.get(row.lab_id)) is not None
        ]

    def _meter_of(self, tag: str) -> Meter:
        meter = self._meters.get(tag)
        if meter is None:
            known = [*self._meters, *(row.name for row in self._line.config.line.samples)]
            accepted = ", ".join(known) or "none: the line file has neither laboratory nor samples"
            raise ConfigError([Problem("", None, "tag", f"{tag!r} is not checked by a laboratory", accepted)])
        return meter

    def _check(
        self,
        meter: Meter,
        value: float,
        u: float | None,
        sampled_at: float,
        now: float,
        lab_id: str | None,
        replaces: str | None,
    ) -> None:
        tag, row, unit = meter.tag, meter.row, meter.tag.unit
        problems = []
        if not tag.low <= value <= tag.high:
            accepted = f"{tag.low:g} to {tag.high:g} {unit}"
            problems.append(Problem("", None, "value", f"{value:g} is outside the range of {tag.name}", accepted))
        if u is not None and not 0.0 < u <= row.most:
            problems.append(Problem("", None, "u", f"{u:g} is not accepted", f"above 0, up to {row.most:g} {unit}"))
        if not sampled_at <= now + _SLACK_S:
            problems.append(Problem("", None, "sampled_at", f"{iso(sampled_at)} is in the future", f"up to {iso(now)}"))
        elif now - sampled_at > 3600.0 * row.oldest_h:
            accepted = f"up to {row.oldest_h:g} h before {iso(now)}"
            problems.append(Problem("", None, "sampled_at", f"{iso(sampled_at)} is too long ago", accepted))
        twin = next((e for e in meter.counted if abs(e.sampled_at - sampled_at) < 1.0 and e.value == value), None)
        if twin is not None and replaces != twin.lab_id:
            message = f"{value:g} of the sample of {iso(twin.sampled_at)} is entered already, as {twin.lab_id}"
            problems.append(
                Problem("", None, "value", message, "another sample; what agrees with itself proves nothing")
            )
        others = [name for name, other in self._meters.items() if lab_id is not None and lab_id in other.entries]
        if others:
            problems.append(Problem("", None, "lab_id", f"{lab_id!r} is a value of {others[0]} already", "another"))
        if replaces is not None and replaces not in meter.entries:
            accepted = ", ".join(entry.lab_id for entry in meter.counted[-5:]) or "nothing has been entered"
            problems.append(Problem("", None, "replaces", f"there is no value {replaces!r} of {tag.name}", accepted))
        if problems:
            raise ConfigError(problems)

    async def _run_at(self, sampled_at: float, wanted: str | None) -> str | None:
        """The run that was under way when the sample was taken. Raises ConfigError when another one was asked for."""
        found = None
        engine = self._line.runs.engine
        spans = []
        if engine is not None and engine.run_id:
            spans.append((engine.run_id, engine.started_at, engine.ended_at))
        try:
            spans += [(run.run_id, run.started_at, run.ended_at) for run in await self._line.historian.runs(50)]
        except StorageError:
            if wanted is not None and wanted not in {name for name, *_ in spans}:
                raise
        for name, begun, ended in spans:
            if begun is not None and begun <= sampled_at <= (math.inf if ended is None else ended):
                found = name
                break
        if wanted is None or wanted == found:
            return found
        known = {name for name, *_ in spans}
        message = f"run {wanted!r} was not under way at {iso(sampled_at)}" if wanted in known else f"no run {wanted!r}"
        raise ConfigError([Problem("", None, "run_id", message, found or "no run was under way then: leave it out")])

    async def _read_meter(self, meter: Meter, row: LabRow) -> None:
        """Find out what the meter showed around the sample. Tried again later when the history is away."""
        half_s = 0.5 * meter.row.window_s
        after_s = max(0.0, min(half_s, row.entered_at - row.sampled_at))  # what came later than the entry never counts
        start, end = row.sampled_at - half_s, row.sampled_at + after_s
        try:
            await self._line.historian.flush()
            found = await self._line.historian.samples([row.tag], start, end)
        except StorageError:
            self._unread.add(row.lab_id)
            return
        self._unread.discard(row.lab_id)
        meter.readings[row.lab_id] = reading_around(found[row.tag], row.sampled_at, half_s, after_s)

    async def _read(self) -> None:
        """Take up what is in the history, and look again for readings that could not be had."""
        now = self._line.clock.now()
        try:
            for name, meter in self._meters.items():
                if not self._is_loaded:
                    kept = await self._line.historian.lab(name, now - MEMORY_S, None, MOST_VALUES)
                    meter.entries = {row.lab_id: row for row in kept} | meter.entries
                for row in meter.counted:
                    if row.lab_id not in meter.readings:
                        await self._read_meter(meter, row)
                meter.judge(now)
                self._pass_on(meter, now)
                if not self._is_loaded and now - self._began < AGAIN_S:
                    meter.applied = meter.bias.value  # nothing is in control yet that could feel a bump
            self._is_loaded = True
        except LineError:
            return  # the history is away: again in a minute

    def _pass_on(self, meter: Meter, now: float) -> None:
        if (check := meter.news(now)) is not None:
            self.hear(meter.tag.name, check, now)

    def _tell(self, meter: Meter, row: LabRow, now: float) -> None:
        judged, bias, unit = meter.judged[row.lab_id], meter.bias, meter.tag.unit
        reading = meter.readings.get(row.lab_id)
        then = "no good reading then" if reading is None else f"meter {reading.mean:.2f} then"
        text = (
            f"{row.who}: {row.tag} in the laboratory {row.value:g} ± {row.u:g} {unit}, sample of {iso(row.sampled_at)} "
            f"({then}): {judged.verdict}; bias {bias.value:+.2f} ± {bias.u:.2f}"
        )
        doubted = judged.verdict in (Verdict.OUTLIER, Verdict.ABSURD)
        kind, severity = ("lab.outlier", Severity.WARNING) if doubted else ("lab.value", Severity.INFO)
        self._line.emit(Event(now, kind, row.tag, text, severity, data={"lab_id": row.lab_id}))

    # -- for people
    def rows(self, tag: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Values with what was thought of each, newest sample first. Raises ConfigError for a wrong tag."""
        meters = list(self._meters.values()) if tag is None else [self._meter_of(tag)]
        found = [
            (entry.sampled_at, entry.entered_at, meter, entry) for meter in meters for entry in meter.entries.values()
        ]
        found.sort(key=lambda row: row[:2], reverse=True)
        return [self._row(meter, entry) for *_, meter, entry in found[:limit]]

    def biases(self) -> list[dict[str, Any]]:
        """The bias of every meter."""
        return [
            {
                "tag": name,
                "unit": meter.tag.unit,
                "bias": round(meter.bias.value, 4),
                "u": round(meter.bias.u, 4) if math.isfinite(meter.bias.u) else None,
                "applied": round(meter.applied, 4),
                "values_used": meter.bias.used,
                "last_sampled_at": iso(meter.bias.last_at_s),
                "is_accepted": meter.accepted is not None,
            }
            for name, meter in self._meters.items()
        ]

    @staticmethod
    def _row(meter: Meter, row: LabRow) -> dict[str, Any]:
        judged, reading = meter.judged.get(row.lab_id), meter.readings.get(row.lab_id)
        return {
            "lab_id": row.lab_id,
            "tag": row.tag,
            "unit": meter.tag.unit,
            "value": row.value,
            "u": row.u,
            "sampled_at": iso(row.sampled_at),
            "entered_at": iso(row.entered_at),
            "who": row.who,
            "note": row.note,
            "run_id": row.run_id,
            "replaces": row.replaces,
            "verdict": "replaced" if judged is None else str(judged.verdict),
            "meter": None if reading is None else round(reading.mean, 4),
            "difference": None if judged is None or math.isnan(judged.difference) else round(judged.difference, 4),
        }


async def _nobody(_run_id: str, _who: str, _why: str) -> None:
    """Nobody wants to know."""
