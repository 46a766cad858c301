"""Buttons that take runs along: tables for other programs, the report for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from linecontrol.hmi import widgets
from linecontrol.hmi.view import View

TABLES = (
    ("record", "csv", {"what": "runs", "format": "csv"}),
    ("csv", "csv", {"what": "samples", "format": "csv"}),
    ("parquet", "parquet", {"what": "samples", "format": "parquet"}),
    ("json", "json", {"what": "samples", "format": "json"}),
)
REPORTS = ("html", "pdf")


def buttons(view: View, runs: Sequence[str]) -> None:
    """Exports of these runs; the report where there is one run."""
    with ui.element("section").classes("panel"):
        ui.label(view.t("runs.export")).classes("title")
        with ui.element("div").classes("verbs"):
            if len(runs) == 1:
                for form in REPORTS:
                    wish = {"lang": view.language, "format": form}
                    path, name = f"/runs/{runs[0]}/report", f"{runs[0]}.{form}"
                    _button(view, f"runs.export.{form}", path, wish, name, "description")
            for key, ending, wish in TABLES:
                name = f"{runs[0] if len(runs) == 1 else 'runs'}-{wish['what']}.{ending}"
                _button(view, f"runs.export.{key}", "/export", {**wish, "run": list(runs)}, name, "download")
            go = widgets.button(
                view.t("runs.export.compare"), lambda: view.go("/compare/overlay"), icon="compare_arrows"
            )
            go.props("role=link")


def _button(view: View, words: str, path: str, wish: dict[str, Any], name: str, icon: str) -> None:
    async def fetch() -> None:
        button.props("loading")
        content = await view.told(view.api.file(path, view.session, wish))
        button.props(remove="loading")
        if content is not None:
            ui.download.content(content, name)

    button = widgets.button(view.t(words), fetch, icon=icon)
