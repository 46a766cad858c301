"""What a run's balance is made of: streams as they are measured, balances, laboratory samples; energy with its prices.

The equations are those of a flowsheet file, so that what a researcher tries out with ``linecontrol reconcile`` can be
written into the line file as it is.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from linecontrol.config.fields import Bilingual, Flag, Line, Name, Number, Row
from linecontrol.config.flowsheet import Equation, InOut, NotNegative, StreamName, Uncertain, told_apart

Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]
Source = Annotated[str, Field(min_length=1, max_length=1000)]

FactorName = Literal["roots", "root_starch", "liberation", "washing", "concentrating", "diverted", "drying_moisture"]
"""What the good powder of a run is traced back to, in the order of the process; what is left is ``unaccounted``."""

SHARE_OF = {"": 1.0, "kg": 1.0, "kg/kg": 1.0, "%": 0.01, "% wb": 0.01, "g/kg": 0.001}
"""Units a fraction or a sample may have, and the factor that makes them kg or kg/kg."""


class Sample(Row):
    """A sample point: what the laboratory is asked of a run. Its values are entered by ``name``.

    ``u``: standard uncertainty of one determination; ``sampling_u``: how far one sample may differ from all that
    passed, as a standard deviation; both in ``unit``.
    """

    name: Name
    title: Bilingual
    unit: Annotated[str, Field(max_length=20)] = "% wb"
    low: Number = 0.0
    high: Number = 100.0
    u: Positive
    sampling_u: NotNegative = 0.0


class Assumed(Row):
    """What is taken for true until the laboratory has spoken: ``u`` must hold how far runs differ.

    ``only_complete``: holds only for a run that came to its end, as what stays behind in machines that were run empty;
    of a stopped or aborted run it is not known.
    """

    value: Number
    u: NotNegative
    only_complete: Flag = False
    source: Source


class Fraction(Row):
    """A share of a stream (kg/kg): from a meter [its unit], from the laboratory, assumed; or none, then worked out.

    ``u``: standard uncertainty of the meter's mean over a run [unit of the tag]: calibration, noise does not count.
    """

    tag: Name | None = None
    u: NotNegative | None = None
    sample: Name | None = None
    assumed: Assumed | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.tag is None) != (self.u is None):
            raise PydanticCustomError("fraction", "a meter needs its uncertainty u, and u a meter")
        if self.tag is not None and self.assumed is not None:
            raise PydanticCustomError("fraction", "is measured by a meter and needs nothing assumed")
        return self


class BalanceStream(Row):
    """A stream [kg in a run], by one of

    * ``totals``: counters whose increase counts, times ``factor`` [kg per unit of the tag]; ``u_pct`` of it,
    * ``change``: a weight whose change from start to end counts, times ``factor``; ``u`` of it [kg],
    * ``sample``: what the laboratory enters [kg]; ``assumed``: a value with its source; none: worked out.

    ``scale``: streams with the same word share one instrument, and so its error.
    """

    title: Bilingual
    totals: tuple[Name, ...] = ()
    change: Name | None = None
    sample: Name | None = None
    assumed: Assumed | None = None
    factor: Positive = 1.0
    u_pct: Uncertain | None = None
    u: NotNegative | None = None
    scale: Line | None = None
    fractions: Annotated[dict[StreamName, Fraction], BeforeValidator(told_apart)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.totals) + (self.change is not None) > 1:
            raise PydanticCustomError("stream", "has totals or a change, not both")
        if bool(self.totals) != (self.u_pct is not None):
            raise PydanticCustomError("stream", "totals need u_pct, and u_pct needs totals")
        if (self.change is not None) != (self.u is not None):
            raise PydanticCustomError("stream", "a change needs u, and u needs a change")
        if (self.totals or self.change is not None) and (self.assumed is not None or self.sample is not None):
            raise PydanticCustomError("stream", "is measured and needs neither a sample nor anything assumed")
        return self


class RunBalance(Row):
    """Streams and balances of a run.

    ``extraction_yield``: dry starch in good powder over starch in roots as delivered, of these streams.
    ``wanted``: further quantities. ``factors``: their product is the good powder but for what is unaccounted for.
    """

    streams: Annotated[
        dict[StreamName, BalanceStream], BeforeValidator(told_apart), Field(min_length=1, max_length=200)
    ]
    balances: Annotated[dict[Line, Equation | InOut], Field(min_length=1, max_length=100)]
    extraction_yield: Equation
    powder: StreamName
    wanted: Annotated[dict[StreamName, Equation], BeforeValidator(told_apart)] = Field(default_factory=dict)
    factors: dict[FactorName, Equation] = Field(default_factory=dict)

    @property
    def equations(self) -> dict[str, str]:
        """Every balance as one equation."""
        return {k: row.equation if isinstance(row, InOut) else row for k, row in self.balances.items()}


class Factor(Row):
    """A price or an emission factor, per unit of what it is of, with where it is from."""

    value: NotNegative
    source: Source


class Carrier(Row):
    """One kind of energy: the sum of ``totals`` less those of ``minus`` [kWh]; ``u_pct`` of each total.

    ``price`` [currency per kWh], ``co2`` [kg per kWh].
    """

    title: Bilingual
    totals: Annotated[tuple[Name, ...], Field(min_length=1)]
    minus: tuple[Name, ...] = ()
    u_pct: Uncertain
    price: Factor
    co2: Factor


class Consumption(Row):
    """Energy and water of a run, and what they cost. ``water_price`` [currency per m3], ``water_co2`` [kg per m3]."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    carriers: Annotated[dict[StreamName, Carrier], BeforeValidator(told_apart), Field(min_length=1, max_length=20)]
    water_u_pct: Uncertain
    water_price: Factor
    water_co2: Factor
