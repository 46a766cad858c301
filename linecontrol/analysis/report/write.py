"""A report's content as one HTML file that needs nothing else, or as PDF."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linecontrol.analysis.needs import needed
from linecontrol.analysis.report.content import report_content
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.history.reader import HistoryReader

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent
CHINESE = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Noto Serif CJK SC", "Source Han Serif SC",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Microsoft YaHei", "PingFang SC", "SimHei", "SimSun",
)  # fmt: skip
LATIN = ("Noto Sans", "DejaVu Sans", "Libertinus Serif")
FORMS = ("html", "pdf")


def asked_report(reader: HistoryReader, run_id: str, language: str = "en", form: str = "html") -> bytes:
    """The report of a run. Raises ConfigError for what is not there: the run, the language, the form, a font."""
    if form not in FORMS:
        raise ConfigError([Problem("", None, "format", f"a report is not written as {form!r}", ", ".join(FORMS))])
    content = report_content(reader, run_id, language)
    return as_pdf(content) if form == "pdf" else as_html(content).encode()


def as_html(content: dict[str, Any]) -> str:
    """One page: styles and charts are in it, scripts are not. Everything from the record is escaped."""
    return _page().render(**content)


@cache
def _page() -> Template:
    from jinja2 import Environment, StrictUndefined

    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return page.from_string((HERE / "page.html").read_text(encoding="utf-8"))


def as_pdf(content: dict[str, Any]) -> bytes:
    """The same as PDF, by Typst. Raises ConfigError without it, or without a font for Chinese where it is needed."""
    typst = needed("typst", "a report as PDF")
    fonts = typst.Fonts()
    there = set(fonts.families())
    chinese = [name for name in CHINESE if name in there]
    if content["language"] == "zh" and not chinese:
        message = "there is no Chinese font on this machine for the PDF"
        raise ConfigError([Problem("", None, "lang", message, f"one of {', '.join(CHINESE)}; or --format html")])
    latin = [name for name in LATIN if name in there]
    chosen = (chinese + latin if content["language"] == "zh" else latin + chinese) or ["Libertinus Serif"]
    given = {"content": json.dumps({**content, "fonts": chosen}, ensure_ascii=False)}
    try:
        return bytes(typst.compile((HERE / "page.typ").read_bytes(), sys_inputs=given, font_paths=fonts))
    except TypeError:  # an older typst takes no Fonts
        return bytes(typst.compile((HERE / "page.typ").read_bytes(), sys_inputs=given))
