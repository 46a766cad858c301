// Trends: NiceGUI's chart, filled here. The record comes piece by piece as it is looked at; live points are appended to
// it. Both meet without a gap: what the record still lacked when it was asked is asked again a little later.

const PENS = ["#0f3468", "#9a4d00", "#2f6a4a", "#6d3f86"];
const DASHES = ["solid", [7, 4], [2, 3], [9, 3, 2, 3]];
const REDRAW_MS = 1000;
const LATE_S = 20; // so far the record may lag behind, in line time at speed 1
const charts = new Map();

function state(element) {
  let kept = charts.get(element);
  if (!kept) {
    kept = {
      element, id: Number(element.id.slice(1)), tags: element.dataset.tags.split(" ").filter(Boolean),
      about: JSON.parse(element.dataset.about), rows: new Map(), from: new Map(), span: 1800, back: 0, drawn: 0, busy: false,
    };
    charts.set(element, kept);
    drag(kept);
  }
  return kept;
}

const now = () => line.value("now");
const rowsOf = (kept, tag) => kept.rows.get(tag) ?? kept.rows.set(tag, []).get(tag);

async function fill(kept) {
  if (kept.busy || !now()) return;
  const end = now() - kept.back, start = end - kept.span;
  const missing = kept.tags.filter((tag) => !(kept.from.get(tag) <= start));
  if (!missing.length) return;
  kept.busy = true;
  try {
    const wanted = start - kept.span; // one screen more than is looked at
    const until = Math.min(now() + 5, Math.max(...missing.map((tag) => kept.from.get(tag) ?? now() + 5)));
    await ask(kept, missing, wanted, until);
    for (const tag of missing) kept.from.set(tag, wanted);
    const lag = LATE_S * 1000;
    if (!kept.again) kept.again = setTimeout(() => { kept.again = 0; ask(kept, kept.tags, now() - 120, now()); }, lag / 4);
  } finally {
    kept.busy = false;
  }
  draw(kept);
}

async function ask(kept, tags, start, end) {
  if (!tags.length || end <= start) return;
  const query = new URLSearchParams(tags.map((tag) => ["tag", tag]));
  query.set("start", start);
  query.set("end", end);
  const answer = await fetch(`/history?${query}`);
  if (!answer.ok) return;
  for (const [tag, found] of Object.entries(await answer.json())) merge(kept, tag, found, start);
}

// The record takes the place of what was seen live in its stretch; before and after stay.
function merge(kept, tag, found, start) {
  if (!found.length) return;
  const mine = rowsOf(kept, tag);
  const last = found.at(-1)[0];
  const before = mine.filter((row) => row[0] < start);
  const after = mine.filter((row) => row[0] >= start && row[0] > last); // all there is may be from before the stretch
  kept.rows.set(tag, [...before, ...found.filter((row) => row[0] >= start || !before.length), ...after]);
}

function take() {
  const t = now();
  if (!t || document.body.dataset.link !== "up") return;
  for (const element of document.querySelectorAll(".trend")) {
    const kept = state(element);
    for (const tag of kept.tags) {
      const raw = line.value(`t.${tag}`);
      rowsOf(kept, tag).push([t, raw && raw[1] !== "bad" && typeof raw[0] === "number" ? raw[0] : null]);
    }
    fill(kept);
    if (performance.now() - kept.drawn > REDRAW_MS) draw(kept);
  }
  for (const element of charts.keys()) if (!element.isConnected) charts.delete(element);
}

function draw(kept) {
  const chart = globalThis.getElement?.(kept.id)?.chart;
  if (!chart || !now()) return;
  kept.drawn = performance.now();
  const end = now() - kept.back, start = end - kept.span;
  const units = [...new Set(kept.tags.map((tag) => kept.about[tag][3]))];
  const narrow = kept.element.clientWidth < 560;
  const digitsOf = (unit) => {
    const seen = kept.tags.filter((tag) => kept.about[tag][3] === unit).flatMap((tag) => rowsOf(kept, tag))
      .filter((row) => row[1] !== null && row[0] >= start && row[0] <= end).map((row) => row[1]);
    const range = seen.length ? Math.max(...seen) - Math.min(...seen) : 5;
    return range < 0.8 ? 2 : range < 8 ? 1 : 0;
  };
  const ink = "#47535d", hair = "#b9bfc3";
  const digits = units.map(digitsOf);
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    color: PENS,
    grid: { left: 56, right: units.length > 1 ? 56 : 16, top: narrow ? 34 + 24 * kept.tags.length : 50, bottom: 26 },
    legend: { top: 0, left: 0, orient: narrow ? "vertical" : "horizontal", itemWidth: 26, itemStyle: { opacity: 0 }, textStyle: { color: "#1d2730", fontSize: 13 } },
    tooltip: { trigger: "axis", axisPointer: { type: "line" }, valueFormatter: undefined, formatter: (rows) => tip(kept, rows) },
    xAxis: {
      type: "time", min: start * 1000, max: end * 1000, splitNumber: 5,
      axisLabel: { color: ink, formatter: (ms) => line.clock(ms / 1000).slice(0, 5), hideOverlap: true },
      axisLine: { lineStyle: { color: hair } }, splitLine: { show: true, lineStyle: { color: "#cdd2d5" } },
    },
    yAxis: units.map((unit, i) => ({
      type: "value", scale: true, show: i < 2, position: i ? "right" : "left", name: i < 2 ? nameOf(kept, unit) : "",
      nameTextStyle: { color: ink, align: i ? "right" : "left" }, nameGap: 8, splitNumber: 4,
      axisLabel: { color: ink, formatter: (v) => line.number(v, digits[i]) },
      splitLine: { show: i === 0, lineStyle: { color: "#cdd2d5" } },
    })),
    series: kept.tags.map((tag, i) => ({
      id: tag, name: `${tag} ${kept.about[tag][0]}`, type: "line", symbol: "none", connectNulls: false, sampling: "lttb",
      yAxisIndex: units.indexOf(kept.about[tag][3]), lineStyle: { width: 1.8, type: DASHES[i] },
      data: rowsOf(kept, tag).filter((row) => row[0] >= start - kept.span / 50 && row[0] <= end).map((row) => [row[0] * 1000, row[1]]),
    })),
  }, { replaceMerge: ["series", "yAxis"], lazyUpdate: true });
  for (const tool of kept.element.parentElement.querySelectorAll("[data-trend]")) {
    const does = tool.dataset.trend;
    const on = does === "live" ? kept.back === 0 : does === `span:${kept.span / 60}`;
    tool.setAttribute("aria-pressed", on ? "true" : "false");
  }
}

const nameOf = (kept, unit) => Object.values(kept.about).find((about) => about[3] === unit)[1];

function tip(kept, rows) {
  const box = document.createElement("div");
  const head = document.createElement("div");
  head.textContent = line.clock(rows[0].value[0] / 1000, true);
  box.append(head);
  for (const row of rows) {
    const [, unit, digits] = kept.about[kept.tags[row.seriesIndex]];
    const item = document.createElement("div");
    item.textContent = `${row.seriesName}  ${row.value[1] === null ? "✕" : line.number(row.value[1], digits)} ${unit}`;
    item.style.color = PENS[row.seriesIndex];
    box.append(item);
  }
  return box;
}

function drag(kept) {
  let from = null;
  kept.element.style.touchAction = "pan-y";
  kept.element.addEventListener("pointerdown", (e) => { from = { x: e.clientX, back: kept.back }; });
  window.addEventListener("pointerup", () => { from = null; });
  kept.element.addEventListener("pointermove", (e) => {
    if (!from) return;
    kept.back = Math.max(0, from.back + ((e.clientX - from.x) / kept.element.clientWidth) * kept.span);
    fill(kept);
    draw(kept);
  });
}

document.addEventListener("click", (event) => {
  const tool = event.target.closest("[data-trend]");
  const element = tool?.closest(".trend-box")?.querySelector(".trend");
  if (!element) return;
  const kept = state(element), does = tool.dataset.trend;
  if (does === "back") kept.back += kept.span / 2;
  else if (does === "on") kept.back = Math.max(0, kept.back - kept.span / 2);
  else if (does === "live") kept.back = 0;
  else kept.span = Number(does.split(":")[1]) * 60;
  fill(kept);
  draw(kept);
});

line.trend = {
  choose(id, tags) {
    for (const kept of charts.values())
      if (kept.id === id) {
        kept.tags = tags;
        fill(kept);
        draw(kept);
      }
  },
};
line.listen(take);
