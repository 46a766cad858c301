"""What must be ready before a run may start, each with what clears it, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linecontrol.core.model import Text
from linecontrol.guard.interlocks import sentence
from linecontrol.line.recipe_book import AWAY

if TYPE_CHECKING:
    from linecontrol.core.station import Station
    from linecontrol.line.assembly import Line
    from linecontrol.recipe.model import Recipe


@dataclass(frozen=True, slots=True)
class Permissive:
    """One condition. ``why`` is the sentence a refusal names it with; empty when it is met.

    ``why_zh``: the same in Chinese, where it is known.
    """

    name: str
    title: Text
    why: str
    clears: Text
    why_zh: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": {"en": self.title.en, "zh": self.title.zh},
            "is_met": not self.why,
            "why": self.why,
            "why_zh": self.why_zh or None,
            "clears": {"en": self.clears.en, "zh": self.clears.zh},
        }


def permissives(line: Line, recipe: Recipe, *, is_first: bool = True) -> list[Permissive]:
    """Every condition of a start of this recipe: no other run in hand, each station takes commands, no interlock is
    against it, nothing that must be checked is overdue.

    ``is_first``: False for a Restart or Resume, which only what holds a run forbids.
    """
    engine = line.runs.engine
    busy = ""
    if engine is not None and line.runs.is_under_way:
        busy = f"run {engine.run_id} is {engine.state}; Stop or Abort it first"
    found = [
        Permissive(
            "run",
            Text("No other run in hand", "没有其他生产在进行"),
            busy,
            Text("Stop or abort the run in hand.", "先停止或中止当前生产。") if busy else Text("", ""),
        )
    ]
    if not line.book.is_loaded:
        found.append(
            Permissive(
                "recipes",
                Text("It is known which recipes are in force", "已知哪些配方有效"),
                AWAY,
                Text("Bring the database back; they are then read again.", "恢复数据库连接；随后会重新读取配方。"),
            )
        )
    for name in recipe.stations:
        station = line.stations[name]
        title = line.config.stations[name].profile.title
        words = Text(f"{title.en}: takes commands", f"{title.zh}：可接受指令")
        why = station.why_not_write() or ""
        found.append(Permissive(f"station.{name}", words, why, _clears(station) if why else Text("", "")))
    now = line.clock.now()
    for standing in line.interlocks.against_start(recipe.name, now, is_first=is_first):
        row, why_not = standing.row, sentence(standing.row, standing.told_value)
        found.append(Permissive(f"interlock.{row.name}", row.title, why_not.en, row.clears, why_not.zh))
    if is_first:
        found += [
            Permissive(f"check.{row.name}", row.title, row.why.en, row.clears, row.why.zh)
            for row in line.checks.against_start(recipe.name, now)
        ]
    return found


def _clears(station: Station) -> Text:
    """What a person can do about a station that takes no commands."""
    if not station.is_up:
        return Text(
            "Check the PLC's power and its network cable; the connection comes back by itself.",
            "检查 PLC 电源和网线；连接会自动恢复。",
        )
    if station.is_stalled:
        return Text("Switch the PLC to RUN.", "将 PLC 切换到运行状态。")
    if not station.is_accepted:
        return Text(
            "A technician probes and accepts the station (linecontrol probe --accept); start the controller again.",
            "由技术员校验并确认该工段（linecontrol probe --accept），再重新启动控制器。",
        )
    if station.foreign_owner is not None:
        return Text("Stop the other controller that drives this station.", "停止正在控制该工段的另一台控制器。")
    return Text("Wait some seconds: the station is being claimed.", "请等待几秒：正在取得控制权。")
