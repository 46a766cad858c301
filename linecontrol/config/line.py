"""A line file: stations at endpoints, loops, critical limits and what the yield is made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from linecontrol.config.alarm import EstimateAlarm, LoopAlarm
from linecontrol.config.bags import Bags
from linecontrol.config.balance import Consumption, RunBalance, Sample
from linecontrol.config.fields import (
    TARGET,
    Bilingual,
    ByteOrder,
    Flag,
    Line,
    Name,
    Note,
    Number,
    Row,
    Seconds,
    Slug,
    Whole,
    WordOrder,
)
from linecontrol.config.haccp import Check, CriticalLimit, NotNegative, Positive, Spoilage, WetHold
from linecontrol.config.interlock import InterlockRow

Share = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]

HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]

ACCESS_FILES = ("certificate", "private_key", "server_certificate", "password_file")
ACCESS_KEYS = ("security", "username", *ACCESS_FILES)
REPORTING_KEYS = ("reading", "publishing_s", "queue_size")


class Settings(Row):
    """What commissioning found to differ from the brand file at this one device, and how its server lets us in.

    ``reading: subscribe`` lets an OPC UA server report what changes, every ``publishing_s`` [s, real time], keeping up
    to ``queue_size`` changes of a node for a report.
    Files are named from the line file's folder. A password is never written here: ``password_file`` holds it.
    """

    word_order: WordOrder | None = None
    byte_order: ByteOrder | None = None
    timeout_s: Annotated[Number, Field(ge=0.05, le=60)] | None = None
    max_read_words: Annotated[Whole, Field(ge=1, le=125)] | None = None
    max_write_words: Annotated[Whole, Field(ge=1, le=123)] | None = None
    max_gap_words: Annotated[Whole, Field(ge=0, le=124)] | None = None
    inter_frame_ms: Annotated[Number, Field(ge=0, le=1000)] | None = None
    max_nodes_per_read: Annotated[Whole, Field(ge=1, le=10_000)] | None = None
    reading: Literal["scan", "subscribe"] | None = None
    publishing_s: Annotated[Number, Field(ge=0.05, le=10)] | None = None
    queue_size: Annotated[Whole, Field(ge=2, le=1000)] | None = None
    security: Literal["none", "sign_and_encrypt"] | None = None
    certificate: Line | None = None
    private_key: Line | None = None
    server_certificate: Line | None = None
    username: Line | None = None
    password_file: Line | None = None


class StationAt(Row):
    """One station of the line: which profile, at which endpoint."""

    profile: Slug
    endpoint: Line
    scan_s: Seconds | None = None
    settings: Settings = Settings()


class Gains(Row):
    """PID gains, ISA form: ``k`` [% of op span per % of pv span or as the loop defines], times in line seconds.

    ``n`` derivative filter, ``b`` and ``c`` set-point weights of P and D.
    """

    form: Literal["isa"] = "isa"
    k: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=10_000)]
    ti_s: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=86_400)]
    td_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=86_400)] = 0.0
    n: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=1, le=100)] = 8.0
    b: Share = 1.0
    c: Share = 0.0


class SetPoint(Row):
    """Limits of the set point [unit of the loop], its first value, and how fast it may move."""

    low: Number
    high: Number
    initial: Number
    rate_per_s: Positive | None = None


class OpLimits(Row):
    """Limits of the output [unit of the output], how fast it may move, and which moves are too small to be written.

    A move in control smaller than ``resolution`` [unit of the output] waits until it is larger, reaches a limit or has
    stood for ``resolution_s`` [line s]. Where the output is another loop's set point it means nothing.
    """

    low: Number
    high: Number
    rate_per_s: Positive | None = None
    resolution: Annotated[Number, Field(ge=0)] = 0.0
    resolution_s: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=3600)] = 10.0


class BadPv(Row):
    """What to do when the measurement is not GOOD: hold the output for ``hold_s`` [line s], then go safe."""

    hold_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=3600)] = 30.0


class NoEffect(Row):
    """When an output at its limit is without effect, which holds the run: the measurement is farther than ``beyond``
    [unit of the loop] from the set point, and has not come nearer for ``within_s`` [line s]."""

    beyond: Positive
    within_s: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=3600)]


class Ratio(Row):
    """Set point = ``factor`` x the tag's value, kept within ``low`` and ``high``."""

    tag: Name
    factor: Number
    low: Number
    high: Number


class Flow(Row):
    """The powder rate; below ``min`` [unit of the tag] nothing is being made."""

    tag: Name
    min: NotNegative


class Moisture(Row):
    """A model-based strategy for a moisture loop whose output is the set point of the inlet air's loop.

    ``model``: what commissioning has identified, a file named from the line file's folder (``linecontrol moisture
    commission`` makes it); without one the loop is a plain PID, and the section only says which tags are which.
    ``mode``: strategy at the start; switched live by the loop's tag STRATEGY.
    ``bridge_s``: for so long the estimate may stand in for a meter that is not GOOD [line s]; only while its standard
    uncertainty is at most ``bridge_u`` [unit of the loop].
    ``lab_every_h``: where the model cannot watch the meter (outlet air or cake are not measured), a laboratory value
    must come at least every so many hours of drying.
    """

    model: Line | None = None
    inlet: Name
    outlet: Name
    product: Name
    nir: Name
    cake: Name
    feed: Name
    ambient: Name
    humidity: Name
    mode: Literal["pid", "cascade", "feedforward", "predictive"] = "predictive"
    bridge_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=3600)] = 300.0
    bridge_u: Positive = 0.6
    lab_every_h: Positive = 4.0


class Loop(Row):
    """One control loop. ``op`` is a tag, or another loop's set point (``TIC-303.SP``) in a cascade.

    ``needs``: while this tag is below ``min`` there is nothing to control: the loop rests with its output where it is.
    """

    name: Name
    title: Bilingual
    pv: Name
    op: Annotated[str, Field(pattern=TARGET)]
    unit: Annotated[str, Field(max_length=20)] = ""
    action: Literal["reverse", "direct"]
    gains: Gains
    sp: SetPoint
    op_limits: OpLimits
    bad_pv: BadPv = BadPv()
    no_effect: NoEffect | None = None
    ratio: Ratio | None = None
    needs: Flow | None = None
    moisture: Moisture | None = None
    note: Note = ""


class Gate(Row):
    """The divert gate: command and position tags, and their three values."""

    tag: Name
    position: Name
    good: Whole
    rework: Whole
    waste: Whole


class Guard(Row):
    """The gate, the flow through it, the totals behind it, the HACCP plan's limits, and what is checked how often."""

    gate: Gate
    good_total: Name
    diverted_totals: tuple[Name, ...]
    flow: Flow
    settle_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=3600)] = 0.0
    critical_limits: Annotated[tuple[CriticalLimit, ...], Field(min_length=1)]
    checks: tuple[Check, ...] = ()
    wet_hold: WetHold | None = None
    spoilage: Spoilage | None = None


class LabMeter(Row):
    """A meter that is checked by laboratory values; its bias is estimated from them [unit of the tag].

    ``u``: standard uncertainty of a value that is entered without one. ``window_s``: the meter is averaged over this
    around the time of the sample [line s]. ``prior_u``: standard deviation of the bias before the first value;
    ``drift_u``: of its change in an hour; ``most``: a larger difference is a wrong sample, not a bias.
    ``sampling_u``: how far one scoop may differ from the powder the meter saw, as a standard deviation.
    ``rate_per_min``: how fast a new bias reaches the loop. ``oldest_h``: age up to which a sample may be entered.
    ``accepted_for_h``: for so long after the last value a person's acceptance of the correction lasts.
    """

    tag: Name
    u: Positive
    window_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=10, le=3600)] = 120.0
    prior_u: Positive = 0.5
    drift_u: NotNegative = 0.05
    sampling_u: NotNegative = 0.15
    most: Positive = 3.0
    rate_per_min: Positive = 0.2
    oldest_h: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=720)] = 48.0
    accepted_for_h: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=168)] = 12.0


class Known(Row):
    """A value that is not measured here: from the laboratory, with its standard uncertainty ``u``."""

    value: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1)]
    u: Share
    source: Annotated[str, Field(min_length=1, max_length=1000)]


class Uncertainty(Row):
    """Standard uncertainties of what the yield is made of; relative, or absolute in per cent points."""

    root_scale_rel: Share
    root_starch_abs_pct: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=100)]
    powder_scale_rel: Share
    powder_moisture_abs_pct: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=100)]


class Yield(Row):
    """The measured tags the extraction yield is made of.

    ``moisture_band_pct_wb``: distance from the set point beyond which powder counts as out of band.
    """

    root_total: Name
    root_starch: Name
    powder_total: Name
    powder_moisture: Name
    powder_rate: Name
    moisture_band_pct_wb: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=50)] = 1.0
    water_totals: tuple[Name, ...] = ()
    energy_totals: tuple[Name, ...] = ()
    powder_purity: Known
    uncertainty: Uncertainty


class Keeping(Row):
    """How long the history keeps samples. Journals, runs, laboratory values and the audit trail are kept for ever.

    Attributes:
        keep_days: samples older than this leave the database; None = never. With an ``archive`` only what lies there.
        archive: folder for samples as Parquet files, one for each day; a relative path is in the data folder.
        archive_after_days: days that are over for this long are copied there.
    """

    keep_days: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=1, le=36_500)] | None = None
    archive: Line | None = None
    archive_after_days: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=36_500)] = 30.0


class LineFile(Row):
    """A line file. ``control_period_s`` is in line seconds.

    ``names``: host names the API may be asked for by, besides this computer's own and its addresses.
    ``four_eyes``: a recipe is approved by somebody other than who wrote it. ``away_hold_s``: a station that has not
    answered, or has made no sense, for so long holds the run [line s].
    """

    kind: Literal["line"]
    name: Slug
    title: Bilingual
    simulated: Flag = False
    stations: Annotated[dict[Slug, StationAt], Field(min_length=1, max_length=100)]
    control_period_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.05, le=60)] = 1.0
    away_hold_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=5, le=600)] = 30.0
    loops: tuple[Loop, ...] = ()
    guard: Guard | None = None
    yield_: Annotated[Yield | None, Field(alias="yield")] = None
    laboratory: tuple[LabMeter, ...] = ()
    samples: tuple[Sample, ...] = ()
    balance: RunBalance | None = None
    consumption: Consumption | None = None
    bags: Bags | None = None
    alarms: tuple[LoopAlarm, ...] = ()
    estimate_alarms: tuple[EstimateAlarm, ...] = ()
    interlocks: tuple[InterlockRow, ...] = ()
    database: Line | None = None
    history: Keeping = Keeping()
    names: tuple[HostName, ...] = ()
    four_eyes: Flag = False
    notes: Note = ""
