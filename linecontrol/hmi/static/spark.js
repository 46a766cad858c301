// Small embedded trends: <canvas class="spark" data-tags="MT-306 MIC-306.WSP" data-minutes="30">.
// History once, then live points; drawn only while it is on the screen.

const series = new WeakMap();
const HELD_MS = 500;

async function load(canvas) {
  const kept = { tags: canvas.dataset.tags.split(" "), rows: new Map(), span: Number(canvas.dataset.minutes) * 60, drawn: 0 };
  for (const tag of kept.tags) kept.rows.set(tag, []);
  series.set(canvas, kept);
  const now = line.value("now");
  if (!now) { series.delete(canvas); return; }
  const query = new URLSearchParams(kept.tags.map((tag) => ["tag", tag]));
  query.set("start", now - kept.span);
  query.set("end", now + 5);
  const answer = await fetch(`/history?${query}`);
  if (answer.ok)
    for (const [tag, rows] of Object.entries(await answer.json())) {
      const mine = kept.rows.get(tag);
      const first = mine.length ? mine[0][0] : Infinity;
      kept.rows.set(tag, [...rows.filter((row) => row[0] < first), ...mine]);
    }
  draw(canvas);
}

function take() {
  const now = line.value("now");
  if (!now || document.body.dataset.link !== "up") return;
  for (const canvas of document.querySelectorAll("canvas.spark")) {
    const kept = series.get(canvas);
    if (!kept) { load(canvas); continue; }
    for (const tag of kept.tags) {
      const raw = line.value(`t.${tag}`);
      const rows = kept.rows.get(tag);
      rows.push([now, raw && raw[1] !== "bad" && typeof raw[0] === "number" ? raw[0] : null]);
      while (rows.length > 2 && rows[1][0] < now - kept.span) rows.shift();
    }
    if (canvas.offsetParent && performance.now() - kept.drawn > HELD_MS) draw(canvas);
  }
}

function draw(canvas) {
  const kept = series.get(canvas);
  const now = line.value("now");
  if (!kept || !now) return;
  kept.drawn = performance.now();
  const scale = devicePixelRatio || 1;
  const w = canvas.clientWidth, h = canvas.clientHeight;
  if (!w || !h) return;
  if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
    canvas.width = Math.round(w * scale);
    canvas.height = Math.round(h * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, w, h);
  const digits = Number(canvas.dataset.digits ?? 1);
  const all = [...kept.rows.values()].flat().map((row) => row[1]).filter((v) => v !== null);
  if (!all.length) return;
  let low = Math.min(...all), high = Math.max(...all);
  const least = Number(canvas.dataset.least ?? 1);
  if (high - low < least) { const middle = (low + high) / 2; low = middle - least / 2; high = middle + least / 2; }
  const style = getComputedStyle(document.documentElement);
  const right = w - 46, top = 6, bottom = h - 6;
  const x = (t) => right - ((now - t) / kept.span) * right;
  const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top);
  pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  pen.fillStyle = style.getPropertyValue("--soft");
  pen.strokeStyle = style.getPropertyValue("--hair");
  pen.lineWidth = 1;
  for (const v of [low, high]) {
    pen.beginPath();
    pen.moveTo(0, Math.round(y(v)) + 0.5);
    pen.lineTo(right, Math.round(y(v)) + 0.5);
    pen.stroke();
    pen.fillText(line.number(v, digits), right + 5, y(v) + (v === low ? 2 : 8));
  }
  kept.tags.forEach((tag, i) => {
    pen.strokeStyle = style.getPropertyValue(i ? "--soft" : "--value");
    pen.lineWidth = i ? 1.2 : 1.8;
    pen.setLineDash(i ? [4, 4] : []);
    pen.beginPath();
    let before = null;
    for (const [t, v] of kept.rows.get(tag)) {
      if (v !== null) {
        const at = Math.max(0, x(t));
        if (before === null) pen.moveTo(at, y(v));
        else { if (i) pen.lineTo(at, y(before)); pen.lineTo(at, y(v)); }
      }
      before = v;
    }
    pen.stroke();
    pen.setLineDash([]);
  });
}

line.listen(take);
