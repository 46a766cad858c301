"""Every text the display shows, one catalogue a language, with the same keys; numbers, dates as people write them.

``{name}`` in a text is filled in. A key that is missing is an error in a test, and shows itself on the screen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_decimal

LANGUAGES = ("zh", "en")
NAMES = {"zh": "中文", "en": "English"}
FALLBACK = "en"
NOTHING = "–"
_LOCALES = {"zh": "zh_Hans_CN", "en": "en_GB"}
_HERE = Path(__file__).parent


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language."""
    found: dict[str, str] = {}
    for path in sorted((_HERE / language).glob("*.json")):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def text(language: str, key: str, **values: Any) -> str:
    """The text of a key; the key itself when there is none."""
    found = catalogue(language).get(key)
    if found is None:
        return key
    return found.format(**values) if values else found


def of(titles: Mapping[str, Any] | None, language: str) -> str:
    """The text of an ``{en, zh}`` pair as the API gives it."""
    if not titles:
        return ""
    return str(titles.get(language) or titles.get(FALLBACK) or "")


def locale(language: str) -> Locale:
    return Locale.parse(_LOCALES[language])


def number(language: str, value: float | None, digits: int = 0) -> str:
    """A number with so many decimals, grouped as the language groups."""
    if value is None:
        return NOTHING
    form = "#,##0" + ("." + "0" * digits if digits else "")
    return str(format_decimal(value, format=form, locale=locale(language)))


def date_time(language: str, at: datetime | None) -> str:
    """Date and time of day, in the machine's zone."""
    if at is None:
        return NOTHING
    here = at.astimezone()
    where = locale(language)
    return f"{format_date(here, 'medium', where)} {format_time(here, 'HH:mm:ss', locale=where)}"


def duration(seconds: float | None) -> str:
    """1:02:03 or 2:03."""
    if seconds is None:
        return NOTHING
    s = max(0, round(seconds))
    hours, minutes = divmod(s // 60, 60)
    return f"{hours}:{minutes:02}:{s % 60:02}" if hours else f"{minutes}:{s % 60:02}"
