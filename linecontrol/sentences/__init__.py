"""The controller's own sentences in Chinese. Data: a pattern of the English sentence, and the Chinese one.

The display and the evidence packs speak by it. What is not known is shown as the controller said it. Parts that match
``{name…}`` are translated in turn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NAMES = ("tuning", "quality", "research", "line", "general")
FILES = tuple(Path(__file__).with_name(f"{name}.json") for name in NAMES)
"""In the order in which they are tried: the last are so general that they would take the others for something else."""
_DEPTH = 8
MOST_LEARNED = 5000


class Sentences:
    """Patterns in order; the first that fits the whole sentence wins."""

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self._learned: dict[str, str] = {}
        self._rows = [(re.compile(_pattern(english), re.DOTALL), chinese) for english, chinese in rows]

    @classmethod
    def shipped(cls) -> Sentences:
        """Those that come with the product."""
        return cls([row for path in FILES for row in json.loads(path.read_text(encoding="utf-8"))])

    def translated(self, sentence: str, language: str, depth: int = _DEPTH) -> str:
        """The sentence in this language; as it is when it is English that is wanted, or nothing fits."""
        if language != "zh" or depth == 0:
            return sentence
        if (known := self._learned.get(sentence)) is not None:
            return known
        for pattern, chinese in self._rows:
            found = pattern.fullmatch(sentence)
            if found is not None:
                parts = {k: self.translated(v, language, depth - 1) for k, v in found.groupdict().items()}
                return chinese.format(**parts)
        return sentence

    def learn(self, told: Any) -> None:
        """Every ``{en, zh}`` pair in what the API has told: titles of tags, phases, recipes stand in sentences too."""
        if isinstance(told, Mapping):
            en, zh = told.get("en"), told.get("zh")
            if isinstance(en, str) and isinstance(zh, str):
                if len(self._learned) < MOST_LEARNED:
                    self._learned[en] = zh
                return
            told = list(told.values())
        if isinstance(told, list):
            for one in told:
                self.learn(one)

    def knows(self, sentence: str) -> bool:
        return any(pattern.fullmatch(sentence) for pattern, _ in self._rows)


def _pattern(english: str) -> str:
    """``{name}`` stands for anything, ``{one_…}`` for one word."""
    parts = re.split(r"\{(\w+)\}", english)
    return "".join(_group(part) if i % 2 else re.escape(part) for i, part in enumerate(parts))


def _group(name: str) -> str:
    return f"(?P<{name}>\\S+)" if name.startswith("one_") else f"(?P<{name}>.+?)"
