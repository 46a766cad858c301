"""The HACCP plan of a line as data: critical and operational limits, what is done when one is broken, who is
responsible, what is checked how often, wet hold and spoilage. Words after Codex CXC 1-1969.

No limit stands in the program. One that comes of a standard carries its name, and whether its text was verified.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from linecontrol.config.alarm import Said, Span
from linecontrol.config.fields import Bilingual, Flag, Line, Name, Number, Row, Slug

PersonWord = Literal["operator", "technician", "supervisor"]
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]


class Monitoring(Row):
    """How often a limit is looked at [line s], and how."""

    every_s: Span
    how: Said


class Standard(Row):
    """Where a limit comes from. ``text_verified``: somebody here has read the text itself, not a copy of a copy."""

    name: Line
    text_verified: Flag
    note: Annotated[str, Field(max_length=400)] = ""


class Operational(Row):
    """Limits inside the critical ones, at which a person acts before anything is lost [unit of the tag]."""

    low: Number | None = None
    high: Number | None = None


class Check(Row):
    """What has to be done again every ``every_h`` [line h]: a calibration, a test piece, a magnet, a cleaning.

    ``tag``: the instrument it is of. ``blocks_start``: overdue, or failed, no run is started, but those of
    ``except_recipes``. ``done_by``: runs of these recipes, completed, are it. ``proven``: one that nobody has ever
    done blocks from the beginning; without it, it is due ``every_h`` after the controller first ran.
    """

    name: Name
    kind: Literal["calibration", "verification", "cleaning"]
    title: Bilingual
    tag: Name | None = None
    every_h: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=100_000)]
    how: Said
    responsible: PersonWord
    blocks_start: Flag = True
    proven: Flag = False
    except_recipes: tuple[Slug, ...] = ()
    done_by: tuple[Slug, ...] = ()


class CriticalLimit(Row):
    """A limit of a critical control point (``ccp``) or of an operational prerequisite programme (``oprp``), on a tag
    [its unit].

    A breach while powder is made turns the gate, unless ``diverts`` is false, and is a deviation: all that was made
    since the last good check is suspect until a corrective action is recorded. ``stage``: the equipment where it is
    measured. ``checked_by``: checks that vouch for its instrument; with ``since_check`` a deviation reaches back to
    the last one that was passed, not only to the last good reading. ``step``: a reading that jumps by more than this
    within seconds has changed itself, as when somebody wipes its window, not the powder; then, as whenever the meter is
    doubted, the last good check is the laboratory's. ``guard_band``: so far inside the limit the gate turns, for what
    the meter does not know; that is no deviation.
    """

    name: Name
    tag: Name
    title: Bilingual
    low: Number | None = None
    high: Number | None = None
    source: Annotated[str, Field(min_length=1, max_length=1000)]
    source_zh: Annotated[str, Field(max_length=1000)] = ""
    kind: Literal["ccp", "oprp"] = "ccp"
    stage: Slug = "bag"
    diverts: Flag = True
    hazard: Said | None = None
    operational: Operational = Operational()
    monitoring: Monitoring | None = None
    corrective_action: Said | None = None
    responsible: PersonWord = "operator"
    standard: Standard | None = None
    step: Positive | None = None
    checked_by: tuple[Name, ...] = ()
    since_check: Flag = False
    guard_band: NotNegative = 0.0


class WetVessel(Row):
    """Where wet material may stand: how full it is, and how fast fresh material comes.

    ``contents``: tag, times ``per`` gives the contents in the unit of ``fresh`` times hours; below ``least`` [unit of
    the tag] it is empty. ``temp``: tag of its temperature [°C].
    """

    name: Slug
    title: Bilingual
    contents: Name
    per: Positive
    least: NotNegative
    fresh: Name
    temp: Name


class WetHold(Row):
    """Growth of germs in wet material that stands: ``sqrt(rate) = b (T - t_min_c)`` [1/h] after ``lag_h`` (Ratkowsky).

    The constants are a file's, with their source; none is known for kudzu.
    """

    vessels: Annotated[tuple[WetVessel, ...], Field(min_length=1)]
    b: Positive = 0.030
    t_min_c: Number = 5.0
    lag_h: NotNegative = 2.0
    source: Annotated[str, Field(min_length=1, max_length=1000)]


class IsothermData(Row):
    """GAB isotherm of the powder at 25 °C and how its constants change with temperature [J/mol]."""

    xm: Positive
    c: Positive
    k: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, lt=1)]
    xm_j_mol: Number
    c_j_mol: Number
    k_j_mol: Number
    xm_low: Positive
    xm_high: Positive
    source: Annotated[str, Field(min_length=1, max_length=1000)]


class Spoilage(Row):
    """Water activity of the powder as it is bagged, of moisture and temperature together, and what it is held against.

    ``moisture_u`` [% wb] and ``temp_u`` [K]: standard uncertainties of the meters. ``limit``: water activity above
    which moulds may grow in store. ``store_c``: temperatures a bag may come to, in the store.
    """

    moisture: Name
    temp: Name
    moisture_u: Positive
    temp_u: Positive
    limit: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, lt=1)]
    store_c: tuple[Number, Number]
    isotherm: IsothermData
    source: Annotated[str, Field(min_length=1, max_length=1000)]
