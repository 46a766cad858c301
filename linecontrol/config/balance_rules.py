"""Rules for a line's balance and consumption beyond the types of their fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from linecontrol.config.balance import SHARE_OF, BalanceStream, Consumption, RunBalance, Sample
from linecontrol.config.document import Loc
from linecontrol.config.fields import near_names
from linecontrol.config.scene import Scene
from linecontrol.core.errors import Problem


def balance_problems(scene: Scene) -> Iterator[Problem]:
    """What is wrong with samples, balance and consumption. Equations are checked where they are read."""
    line = scene.line
    names: set[str] = {meter.tag for meter in line.laboratory}
    for at, sample in enumerate(line.samples):
        loc: Loc = ("samples", at)
        if sample.name in names or scene.tag(sample.name) is not None:
            yield scene.doc.problem((*loc, "name"), f"{sample.name} is taken", "a name of its own")
        names.add(sample.name)
        if sample.unit not in SHARE_OF:
            accepted = ", ".join(unit or '""' for unit in SHARE_OF)
            yield scene.doc.problem((*loc, "unit"), f"{sample.unit!r} is not accepted", accepted)
        if not sample.low < sample.high:
            yield scene.doc.problem((*loc, "high"), f"{sample.high:g} is not above low", f"above {sample.low:g}")
    if line.balance is not None:
        yield from _stream_problems(scene, line.balance)
    if line.consumption is not None:
        yield from _carrier_problems(scene, line.consumption)


def _stream_problems(scene: Scene, balance: RunBalance) -> Iterator[Problem]:
    samples = {row.name: row for row in scene.line.samples}
    for name, stream in balance.streams.items():
        loc: Loc = ("balance", "streams", name)
        for at, tag in enumerate(stream.totals):
            yield from scene.number((*loc, "totals", at), tag)
        if stream.change is not None:
            yield from scene.number((*loc, "change"), stream.change)
        yield from _sample_problems(scene, (*loc, "sample"), stream.sample, samples, is_mass=True)
        yield from _fraction_problems(scene, loc, stream, samples)
    if balance.powder not in balance.streams:
        message = f"there is no stream {balance.powder!r}"
        yield scene.doc.problem(("balance", "powder"), message, near_names(balance.powder, list(balance.streams)))


def _fraction_problems(scene: Scene, loc: Loc, stream: BalanceStream, samples: dict[str, Sample]) -> Iterator[Problem]:
    for part, fraction in stream.fractions.items():
        here: Loc = (*loc, "fractions", part)
        if fraction.tag is not None:
            yield from scene.number((*here, "tag"), fraction.tag)
            tag = scene.tag(fraction.tag)
            if tag is not None and tag.unit not in SHARE_OF:
                yield scene.doc.problem((*here, "tag"), f"{tag.name} is in {tag.unit!r}", ", ".join(SHARE_OF))
            if not stream.totals:
                message = "a meter's mean is taken by mass, and this stream has no totals"
                yield scene.doc.problem((*here, "tag"), message, "totals for the stream, or no meter")
        yield from _sample_problems(scene, (*here, "sample"), fraction.sample, samples, is_mass=False)


def _sample_problems(
    scene: Scene, loc: Loc, name: str | None, samples: dict[str, Sample], *, is_mass: bool
) -> Iterator[Problem]:
    if name is None:
        return
    row = samples.get(name)
    if row is None:
        yield scene.doc.problem(loc, f"there is no sample {name!r}", near_names(name, list(samples)) or "none")
    elif is_mass != (row.unit == "kg"):
        wanted = "kg" if is_mass else "a share, as % wb"
        yield scene.doc.problem(loc, f"the sample {name} is in {row.unit!r}", wanted)


def _carrier_problems(scene: Scene, rows: Consumption) -> Iterator[Problem]:
    for name, carrier in rows.carriers.items():
        for key in ("totals", "minus"):
            for at, tag_name in enumerate(getattr(carrier, key)):
                loc: Loc = ("consumption", "carriers", name, key, at)
                yield from scene.number(loc, tag_name)
                tag = scene.tag(tag_name)
                if tag is not None and tag.unit != "kWh":
                    yield scene.doc.problem(loc, f"{tag_name} is in {tag.unit!r}", "kWh")
