"""How figures, times, limits and people are written in an evidence pack. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from linecontrol.analysis.wallclock import Face, face_of
from linecontrol.sentences import Sentences
from linecontrol.sentences.terms import species, unit


def in_words(pack: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """The pack with its units and species as people of this language write them: to be shown, not to be kept."""
    found = {**pack, "glance": {**pack["glance"]}}
    for place, name in ((found, "limits"), (found, "deviations"), (found, "interlocks"), (found["glance"], "broken")):
        place[name] = [{**row, "unit": unit(lang, row["unit"])} for row in place[name]]
    for place in (found, found["glance"]):
        place["lots"] = [{**row, "species": species(lang, row["species"] or "")} for row in place["lots"]]
    return found


def pack_face(pack: Mapping[str, Any]) -> Face:
    """The clock by which a pack is read: that of its run."""
    return face_of(pack["run"], pack["start"])


def person(who: str | None) -> str:
    """A person's name without the way they came in."""
    return (who or "–").partition(":")[2] or (who or "–")


def number(value: Any, digits: int = 2) -> str:
    """A figure, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(share: float) -> str:
    """A share 0..1 of a bag; one that is there is never told as nothing."""
    return "<1 %" if 0.0 < share < 0.01 else f"{100.0 * share:.0f} %"


def limits(row: Mapping[str, Any], w: Mapping[str, Any]) -> str:
    """``8.0 … 14.0 % wb``, or ``at most 100.0 %``."""
    low, high, unit = row["low"], row["high"], row["unit"]
    if low is None or high is None:
        side, value = ("at_most", high) if low is None else ("at_least", low)
        return f"{w[side]} {number(value, 1)} {unit}".rstrip()
    return f"{number(low, 1)} … {number(high, 1)} {unit}".rstrip()


def speaker(pack: Mapping[str, Any], lang: str) -> Callable[[str], str]:
    """What the controller said in English, in this language; as it was said where no translation is known."""
    spoken = Sentences.shipped() if lang == "zh" else Sentences(())
    spoken.learn(pack)
    spoken.learn(yaml.safe_load((pack.get("recipe") or {}).get("text") or ""))  # titles of phases
    spoken.learn([{"en": name, "zh": title["zh"]} for name, title in _titles(pack).items()])
    return lambda sentence: spoken.translated(sentence, lang)


def titled(name: str, pack: Mapping[str, Any], lang: str) -> str:
    """A check by name and title, as ``METAL-TEST (Metal detector finds the test pieces)``; any other name as it is."""
    title = _titles(pack).get(name)
    return name if title is None else f"{name}（{title['zh']}）" if lang == "zh" else f"{name} ({title['en']})"


def _titles(pack: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of stations and checks; empty in a record of before they were kept."""
    return pack["run"].get("titles") or {}


def told(event: Mapping[str, Any], lang: str, said: Callable[[str], str]) -> str:
    """What an event says, in this language: its own words in it, or by ``said`` what the controller said."""
    words = (event.get("data") or {}).get("zh") if lang == "zh" else None
    words = str(words or said(event["text"]))
    if lang == "zh":
        return f"已解除：{words}" if event["kind"].endswith(".cleared") else words
    return f"no longer: {words}" if event["kind"] == "interlock.cleared" else words
