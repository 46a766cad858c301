"""The controller's own sentences in Chinese. Data: a pattern of the English sentence, and the Chinese one.

What is not known is shown as the controller said it. Parts that match ``{name…}`` are translated in turn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

PATH = Path(__file__).parent / "texts" / "sentences.json"
TUNING = PATH.with_name("sentences_tuning.json")
_DEPTH = 4


class Sentences:
    """Patterns in order; the first that fits the whole sentence wins."""

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self._rows = [(re.compile(_pattern(english), re.DOTALL), chinese) for english, chinese in rows]

    @classmethod
    def shipped(cls) -> Sentences:
        """Those of tuning first: the general ones would take them for something else."""
        return cls([row for path in (TUNING, PATH) for row in json.loads(path.read_text(encoding="utf-8"))])

    def translated(self, sentence: str, language: str, depth: int = _DEPTH) -> str:
        """The sentence in this language; as it is when it is English that is wanted, or nothing fits."""
        if language != "zh" or depth == 0:
            return sentence
        for pattern, chinese in self._rows:
            found = pattern.fullmatch(sentence)
            if found is not None:
                parts = {k: self.translated(v, language, depth - 1) for k, v in found.groupdict().items()}
                return chinese.format(**parts)
        return sentence

    def knows(self, sentence: str) -> bool:
        return any(pattern.fullmatch(sentence) for pattern, _ in self._rows)


def _pattern(english: str) -> str:
    """``{name}`` stands for anything."""
    parts = re.split(r"\{(\w+)\}", english)
    return "".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
