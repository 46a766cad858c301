"""Line charts as SVG texts for reports: no script, no style sheet, nothing from elsewhere. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, HEIGHT = 720.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 12.0, 26.0, 34.0
INKS = ("#0f3468", "#b8473a", "#2f7d7a", "#7a4b8f")
MOST_POINTS = 800
FONT = "Noto Sans CJK SC, Source Han Sans SC, Microsoft YaHei, PingFang SC, sans-serif"


@dataclass(frozen=True, slots=True)
class Line:
    """Attributes: x, y: of one length; None or NaN in y is a gap. step: held values."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    step: bool = True


def line_chart(lines: Sequence[Line], unit: str, x_name: str, shades: Sequence[tuple[float, float]] = ()) -> str:
    """A chart with axes, ticks and a legend. ``shades``: stretches of x behind the lines. Empty without any value."""
    xs = [x for line in lines for x in line.x]
    ys = [y for line in lines for y in line.y if y is not None and math.isfinite(y)]
    if not xs or not ys:
        return ""
    x_ticks, y_ticks = ticks(min(xs), max(xs), 9), ticks(min(ys), max(ys), 5)
    x_low, x_high = min(xs), max(*xs, min(xs) + 1e-9)
    y_low, y_high = min(*y_ticks, *ys), max(*y_ticks, *ys)

    def px(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def py(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" font-family="{FONT}" '
             'font-size="11" fill="#1d2730" role="img">']  # fmt: skip
    for low, high in shades:
        a, b = px(max(low, x_low)), px(min(high, x_high))
        if b > a:
            parts.append(f'<rect x="{a:.1f}" y="{TOP:g}" width="{b - a:.1f}" height="{HEIGHT - TOP - BOTTOM:g}" '
                         'fill="#eef1f3"/>')  # fmt: skip
    for y in y_ticks:
        parts.append(f'<path d="M{LEFT:g} {py(y):.1f}H{WIDTH - RIGHT:g}" stroke="#d5d9dc"/>')
        parts.append(f'<text x="{LEFT - 6:g}" y="{py(y) + 4:.1f}" text-anchor="end">{_number(y)}</text>')
    parts += [
        f'<text x="{px(x):.1f}" y="{HEIGHT - BOTTOM + 15:g}" text-anchor="middle">{_number(x)}</text>'
        for x in x_ticks
        if x_low <= x <= x_high
    ]
    base = HEIGHT - BOTTOM
    parts.append(f'<path d="M{LEFT:g} {base:g}H{WIDTH - RIGHT:g}" stroke="#8a949b"/>')
    parts.append(f'<text x="{WIDTH - RIGHT:g}" y="{HEIGHT - 4:g}" text-anchor="end" fill="#5c666e">{escape(x_name)}'
                 f'</text><text x="4" y="16" fill="#5c666e">{escape(unit)}</text>')  # fmt: skip
    at = LEFT
    for i, line in enumerate(lines):
        ink = INKS[i % len(INKS)]
        parts.append(f'<path d="{_path(line, px, py)}" fill="none" stroke="{ink}" stroke-width="1.4" '
                     'stroke-linejoin="round"/>')  # fmt: skip
        parts.append(f'<path d="M{at:g} 12h16" stroke="{ink}" stroke-width="3"/>'
                     f'<text x="{at + 21:g}" y="16">{escape(line.name)}</text>')  # fmt: skip
        at += 34 + sum(11.5 if ord(letter) > 255 else 6.4 for letter in line.name)
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) that span low to high."""
    span = high - low if high > low else max(abs(high), 1.0) * 0.1
    raw = span / max(1, about)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, max(last, first + 1) + 1)]


def _number(value: float) -> str:
    text = f"{value:.6g}"
    return "0" if text == "-0" else text.replace("-", "−")


def _is_known(y: float | None) -> bool:
    return y is not None and math.isfinite(y)


def _path(line: Line, px: Any, py: Any) -> str:
    """Moves and lines, thinned: of each stretch of points its first, lowest, highest and last are kept."""
    size = max(1, math.ceil(4 * len(line.x) / MOST_POINTS))
    found, pen_up, before = [], True, 0.0
    for start in range(0, len(line.x), size):
        part = range(start, min(start + size, len(line.x)))
        known = [i for i in part if _is_known(line.y[i])]
        keep = set() if not known else {known[0], known[-1], min(known, key=lambda i: line.y[i] or 0.0),
                                        max(known, key=lambda i: line.y[i] or 0.0)}  # fmt: skip
        keep |= {i for i in part if not _is_known(line.y[i])} if size == 1 else set()
        for i in sorted(keep):
            value = line.y[i]
            if value is None or not math.isfinite(value):
                pen_up = True
                continue
            x, y = px(line.x[i]), py(value)
            if pen_up:
                found.append(f"M{x:.1f} {y:.1f}")
            elif line.step and size == 1 and abs(y - before) > 0.05:
                found.append(f"H{x:.1f}V{y:.1f}")
            else:
                found.append(f"L{x:.1f} {y:.1f}")
            pen_up, before = False, y
        if not known:
            pen_up = True
    return "".join(found)
