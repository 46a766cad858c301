// Durations that count on by themselves: <span data-since="…"> and <span data-until="…">, line time [s since 1970].

function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  return hours ? `${hours}:${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

function show() {
  const now = line.value("now");
  if (!now) return;
  for (const element of document.querySelectorAll("[data-since], [data-until]")) {
    const { since, until } = element.dataset;
    const said = duration(since === undefined ? Number(until) - now : now - Number(since));
    if (element.textContent !== said) element.textContent = said;
  }
}

line.listen(show);
new MutationObserver(show).observe(document.body, { childList: true, subtree: true });
