"""What a mistake of the corpus is, and the files it is made in."""

from __future__ import annotations

import re
from dataclasses import dataclass

SCREENING = "stations/screening.yaml"
GRINDING = "stations/grinding.yaml"
DRYING = "stations/drying.yaml"
DEMO = "lines/demo.yaml"
DVP = "brands/delta-dvp.yaml"
M221 = "brands/schneider-m221.yaml"
EUROTHERM = "brands/eurotherm-3200.yaml"
GENERIC_UA = "brands/generic-opcua.yaml"
ELW = "brands/delta-vfd-el-w.yaml"
GENERIC = "brands/generic-modbus.yaml"
MS300 = "brands/delta-ms300.yaml"


@dataclass(frozen=True)
class Bad:
    """One mistake: in ``file``, ``old`` becomes ``new``; the problem is told at ``key``, on the line of ``at``.

    A pattern keeps its first group: so a number is spoilt whatever it is tuned to (``number_at``).

    Attributes:
        at: text on the line where the problem is expected; default: the line where the change begins.
        said: words of the message or of what is accepted.
    """

    file: str
    old: str | re.Pattern[str]
    new: str
    key: str
    said: str = ""
    at: str = ""

    def spoilt(self, text: str) -> str:
        """The text of the file with the mistake in it."""
        if isinstance(self.old, str):
            assert self.old in text, f"{self.old!r} is no longer in {self.file}"
            return text.replace(self.old, self.new, 1)
        changed, count = self.old.subn(lambda found: found[1] + self.new, text, count=1)
        assert count == 1, f"{self.old.pattern!r} is no longer in {self.file}"
        assert changed != text
        return changed


def number_at(*words: str) -> re.Pattern[str]:
    """The number that follows these words, each looked for behind the one before."""
    return re.compile("(" + ".*?".join(re.escape(word) for word in words) + r")-?[0-9.]+", re.DOTALL)
