// Live values in the page. One WebSocket; elements say by attributes what they show:
//   data-k="t.TT-303"     name of the value ({lang} stands for the language; data-k-zh: its Chinese twin)
//   data-as="text"        what it becomes: text (default), bar, on, state, show, alarms
//   data-fmt="num"        how text is written: num, dur, clock, pct, word, plain
// Values older than STALE_MS grey the page and put its commands out of reach, whoever died.

const STALE_MS = 2200;
const RETRY_MS = [300, 600, 1200, 2000];
const values = new Map();
const points = new Set(); // trends that want to know what came
let lastPush = -Infinity;
let socket = null;
let tries = 0;
let words = {};
let lang = document.documentElement.lang || "en";
let isStale = null;
let numbers = new Map();

function connect() {
  const url = new URL("/live", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const mine = new WebSocket(url);
  socket = mine;
  mine.onmessage = (event) => {
    const message = JSON.parse(event.data);
    lastPush = performance.now();
    tries = 0;
    if (message.all) {
      values.clear();
      for (const [name, value] of Object.entries(message.all)) values.set(name, value);
      show(null);
    } else {
      for (const [name, value] of Object.entries(message.set)) values.set(name, value);
      show(message.set);
    }
    watch();
    for (const listener of points) listener(message.set ?? message.all, !!message.all);
  };
  mine.onclose = () => {
    if (socket === mine) setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  };
}

// -- stale or not
function watch() {
  const silent = performance.now() - lastPush > STALE_MS;
  if (silent && socket?.readyState === WebSocket.OPEN && performance.now() - lastPush > 3 * STALE_MS) socket.close();
  const link = silent ? "gone" : (values.get("link") ?? "wait");
  if (document.body.dataset.link !== link) document.body.dataset.link = link;
  const stale = link !== "up";
  if (stale !== isStale) {
    isStale = stale;
    fence();
  }
}

function fence() {
  for (const element of document.querySelectorAll(".cmd")) element.inert = !!isStale;
}

// -- showing
function nameOf(element) {
  const { k, kZh } = element.dataset;
  return (lang === "zh" && kZh ? kZh : k).replace("{lang}", lang);
}

function show(changed) {
  for (const element of document.querySelectorAll("[data-k]")) {
    const name = nameOf(element);
    if (changed === null || name in changed || element.shownAs !== name) put(element, name);
  }
}

function put(element, name) {
  element.shownAs = name;
  const raw = values.get(name);
  const isTag = Array.isArray(raw) && name.startsWith("t.");
  const value = isTag ? raw[0] : raw;
  const data = element.dataset;
  if (name.startsWith("t.")) data.q = isTag ? raw[1] : "bad";
  else data.q = value === null || value === undefined ? "none" : "good";
  switch (data.as ?? "text") {
    case "text":
      element.textContent = text(element, value);
      break;
    case "bar": {
      const low = Number(data.low), high = Number(data.high);
      const part = typeof value === "number" ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0;
      element.style.setProperty("--f", part.toFixed(4));
      if (data.normalLow !== undefined && typeof value === "number")
        data.band = value < Number(data.normalLow) ? "low" : value > Number(data.normalHigh) ? "high" : "in";
      break;
    }
    case "on":
      data.on = value === null || value === undefined ? "" : Number(value) > Number(data.above ?? 0.5) ? "1" : "0";
      break;
    case "state":
      data.state = value === null || value === undefined ? "" : String(value);
      break;
    case "show":
      element.hidden = data.equals === undefined ? !value : String(value) !== data.equals;
      break;
    case "alarms":
      alarms(element, value ?? []);
      break;
    case "well":
      well(element, value);
      break;
  }
}

const NOTHING = "–";

function text(element, value) {
  if (value === null || value === undefined || value === "") return NOTHING;
  const data = element.dataset;
  if (typeof value === "boolean") return words[`bool.${value}`] ?? String(value);
  if (data.choices) return JSON.parse(data.choices)[String(value)] ?? String(value);
  switch (data.fmt ?? "plain") {
    case "num":
      return typeof value === "number" ? number(value * Number(data.factor ?? 1), Number(data.digits ?? 0)) : String(value);
    case "pct":
      return number(value * 100, Number(data.digits ?? 0));
    case "dur":
      return duration(value);
    case "clock":
      return clock(value);
    case "age":
      return value ? `> ${duration(value)}` : "< 0:02";
    case "word":
      return words[`${data.words}.${value}`] ?? String(value);
    default:
      return typeof value === "object" ? (value[lang] ?? value.en ?? NOTHING) : String(value);
  }
}

export function number(value, digits) {
  const key = `${lang} ${digits}`;
  if (!numbers.has(key))
    numbers.set(key, new Intl.NumberFormat(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  const written = numbers.get(key).format(value);
  return /^[-−][0.,]*$/.test(written) ? written.slice(1) : written;
}

function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  const two = (n) => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`
    : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

export function clock(seconds, withDate = false) {
  const style = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  if (withDate) Object.assign(style, { month: "2-digit", day: "2-digit" });
  return new Intl.DateTimeFormat(lang, style).format(new Date(seconds * 1000));
}

function alarms(element, rows) {
  element.replaceChildren(...rows.map((row) => {
    const line = document.createElement("span");
    line.className = "alarm-row";
    line.dataset.priority = row.priority ?? "";
    const mark = document.createElement("span");
    mark.className = "alarm-mark";
    mark.setAttribute("aria-hidden", "true");
    const priority = document.createElement("b");
    priority.textContent = words[`priority.${row.priority}`] ?? row.priority ?? "";
    const said = document.createElement("span");
    said.className = "alarm-text";
    said.textContent = row.text?.[lang] ?? row.text?.en ?? row.name;
    line.append(mark, priority, said);
    return line;
  }));
}

// What needs a person: rows of [text, what it is about]; none means all is well.
function well(element, rows) {
  element.dataset.well = rows ? (rows.length ? "no" : "yes") : "";
  element.replaceChildren(...(rows?.length ? rows : [["well.all", ""]]).map(([key, about]) => {
    const item = document.createElement("li");
    item.textContent = (words[key] ?? key).replace("{what}", words[`station.${about}`] ?? about);
    return item;
  }));
}

// -- language: the catalogue comes once; the page's own texts are rebuilt by the server
let wantedLast = ""; // an answer that comes late must not bring back the language before
async function language(wanted) {
  wantedLast = wanted;
  const answer = await fetch(`/texts/${wanted}.json`);
  const found = await answer.json();
  if (wantedLast !== wanted) return;
  words = found;
  lang = wanted;
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
  numbers = new Map();
  show(null);
  for (const listener of points) listener(null, false);
}

const api = {
  language, number, clock,
  value: (name) => values.get(name),
  lang: () => lang,
  word: (key) => words[key] ?? key,
  listen: (listener) => (points.add(listener), () => points.delete(listener)),
};
globalThis.line = api;

let isDue = false;
new MutationObserver(() => {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    show({});
    if (isStale) fence();
  });
}).observe(document.body, { childList: true, subtree: true });

let here = "";
function place() {
  const tab = document.querySelector(".tab.on:not([data-seen])");
  if (tab) {
    tab.dataset.seen = "1";
    tab.scrollIntoView({ inline: "center", block: "nearest" }); // on a phone the row of tabs is wider than the screen
  }
  if (here === location.pathname && document.querySelector(".place[aria-current]")) return;
  here = location.pathname;
  const first = (path) => path.split("/")[1];
  for (const element of document.querySelectorAll(".place[href]"))
    if (first(element.getAttribute("href")) === first(here) || element.dataset.also?.split(" ").includes(first(here)))
      element.setAttribute("aria-current", "page");
    else element.removeAttribute("aria-current");
}

setInterval(watch, 250);
setInterval(place, 100);
language(document.querySelector("meta[name=language]")?.content ?? "en").then(connect, connect);
