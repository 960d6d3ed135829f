"""The page at ``/``: model, state and a table of columns, read from ``/api/report`` every few seconds.

One file without any outside resource: it must show itself in a cluster that reaches no other network.
"""

from __future__ import annotations

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
"""The page may load nothing but its own JSON."""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Outrider</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --ink: #1c2430; --soft: #667085; --line: #e4e7ec; --paper: #fff; --back: #f7f8fa;
        --ok: #16794c; --suspect: #a15c00; --drifted: #c4271c; --quiet: #667085; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #2d3440; --paper: #181d26; --back: #11151c;
          --ok: #4cc38a; --suspect: #f0b429; --drifted: #ff7a70; --quiet: #98a2b3; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; align-items: baseline; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 .75rem; }
nav { margin-left: auto; display: flex; gap: 1rem; }
a { color: inherit; text-underline-offset: .2em; }
.state { font-weight: 600; padding: .1rem .6rem; border: 1px solid currentColor; border-radius: 1rem; font-size: .85rem; }
.ok { color: var(--ok); } .suspect { color: var(--suspect); } .drifted { color: var(--drifted); }
.insufficient, .no_reference { color: var(--quiet); }
p { color: var(--soft); margin: .75rem 0 1.25rem; }
.frame { overflow-x: auto; background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .75rem; text-align: right; border-top: 1px solid var(--line); white-space: nowrap; }
tr:first-child > * { border-top: 0; }
th { font-size: .8rem; color: var(--soft); font-weight: 600; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
tr.why > td { border-top: 0; padding-top: 0; text-align: left; white-space: normal; color: var(--soft); }
tr.why div { position: sticky; left: .75rem; max-width: min(70rem, calc(100vw - 4.5rem)); }
.stale { opacity: .45; }
</style>
<main>
<header>
  <h1 id="model">Outrider</h1><span id="state" class="state" hidden></span>
  <nav><a href="/api/report">report</a><a href="/api/segments">segments</a><a href="/api/rows">strange rows</a>
  <a href="/api/profile">profile</a><a href="/metrics">metrics</a></nav>
</header>
<p id="summary" role="status">Reading the report …</p>
<div class="frame" hidden id="frame"><table>
  <thead><tr><th>column</th><th class="text">state</th><th class="text">statistic</th><th>score</th><th>lower bound</th>
  <th>threshold</th><th>rows</th><th>missing</th><th>mean</th><th>mean in training</th></tr></thead>
  <tbody id="columns"></tbody>
</table></div>
<section hidden id="together"><h2>How columns go together</h2>
<div class="frame"><table>
  <thead><tr><th>what</th><th class="text">state</th><th>now</th><th>in training</th><th>moved by</th><th>at least</th>
  <th>threshold</th><th>rows</th></tr></thead>
  <tbody id="relations"></tbody>
</table></div></section>
<section hidden id="favours"><h2>Whom the answers favour</h2>
<div class="frame"><table>
  <thead><tr><th>group</th><th class="text">state</th><th>selected</th><th>of the others</th><th>difference</th>
  <th>95 %</th><th>ratio</th><th>95 %</th><th>rows</th></tr></thead>
  <tbody id="groups"></tbody>
</table></div></section>
</main>
<script>
const worst = { drifted: 4, suspect: 3, ok: 2, insufficient: 1, no_reference: 0 };
const words = state => state.replaceAll("_", " ");
const number = value => value === null || value === undefined ? "–"
  : value.toLocaleString("en", { maximumSignificantDigits: 4 });
const percent = value => value === null ? "–" : (100 * value).toFixed(1) + " %";
function cell(row, text, style) { const td = row.insertCell(); td.textContent = text; if (style) td.className = style; }
function why(column) {
  const count = ([kind, rows]) => `${words(kind)}: ${rows.toLocaleString("en")} rows`;
  const broken = Object.entries(column.violations || {}).map(count);
  return [column.reason, broken.length ? "since the start, " + broken.join(", ") : ""].filter(Boolean).join(" · ");
}
function leading(scores) {
  const over = (score) => score.threshold ? Math.min(score.lower / score.threshold, 3) : -1;
  return scores.slice().sort((a, b) => over(b) - over(a))[0];
}
function show(report) {
  const name = report.model || "Outrider";
  document.getElementById("model").textContent = name + (report.version ? " " + report.version : "");
  const state = document.getElementById("state");
  state.hidden = false;
  state.className = "state " + report.decision;
  state.textContent = words(report.decision);
  document.title = words(report.decision) + " · " + name;
  const at = new Date(report.time_ns / 1e6).toLocaleTimeString([], { timeZoneName: "short" });
  document.querySelector("main").classList.remove("stale");
  document.getElementById("summary").textContent = report.evaluation
    ? `${report.rows.toLocaleString("en")} rows in the window · evaluation ${report.evaluation} at ${at}`
    : `No evaluation yet: ${report.reason || "the first comes when the first pane is full"}.`;
  document.getElementById("frame").hidden = report.columns.length === 0;
  const body = document.getElementById("columns");
  body.replaceChildren();
  for (const column of report.columns.slice().sort((a, b) => worst[b.decision] - worst[a.decision])) {
    const row = body.insertRow(), score = leading(column.scores);
    cell(row, column.name);
    cell(row, words(column.decision), "text " + column.decision);
    cell(row, score ? score.statistic : "–", "text");
    for (const value of score ? [score.value, score.lower, score.threshold] : [null, null, null]) cell(row, number(value));
    cell(row, column.rows.toLocaleString("en"));
    cell(row, percent(column.missing_share));
    cell(row, number(column.mean));
    cell(row, number(column.reference_mean));
    explain(body, row, why(column));
  }
  together(report.relations || []);
  favours(report.groups || []);
}
function favours(groups) {
  document.getElementById("favours").hidden = groups.length === 0;
  const body = document.getElementById("groups");
  body.replaceChildren();
  const end = value => value === null ? "∞" : number(value);
  const span = gap => gap && gap.lower !== null ? number(gap.lower) + " … " + end(gap.upper) : "–";
  for (const group of groups.slice().sort((a, b) => worst[b.decision] - worst[a.decision])) {
    const row = body.insertRow(), { difference, ratio } = group;
    cell(row, group.name);
    cell(row, group.decision === "drifted" ? "unlike" : words(group.decision), "text " + group.decision);
    cell(row, percent(group.rate));
    cell(row, percent(group.other_rate));
    for (const gap of [difference, ratio]) { cell(row, number(gap && gap.value)); cell(row, span(gap)); }
    cell(row, group.rows.toLocaleString("en"));
    explain(body, row, group.reason);
  }
}
function explain(body, row, reason) {
  if (!reason) return;
  const below = body.insertRow(), td = below.insertCell();
  below.className = "why";
  td.colSpan = row.cells.length;
  td.appendChild(document.createElement("div")).textContent = reason;
}
function together(relations) {
  document.getElementById("together").hidden = relations.length === 0;
  const body = document.getElementById("relations");
  body.replaceChildren();
  for (const relation of relations.slice().sort((a, b) => worst[b.decision] - worst[a.decision])) {
    const row = body.insertRow(), kinds = { correlation: " ~ ", association: "", discrepancy: "" };
    cell(row, relation.columns.length ? relation.columns.join(kinds[relation.kind]) : "all columns");
    cell(row, words(relation.decision) + " " + relation.kind, "text " + relation.decision);
    const { now, before, value, lower, threshold } = relation;
    for (const each of [now, before, value, lower, threshold]) cell(row, number(each));
    cell(row, relation.rows.toLocaleString("en"));
    explain(body, row, relation.reason);
  }
}
async function refresh() {
  try {
    const answer = await fetch("/api/report");
    if (!answer.ok) throw new Error((await answer.json()).error);
    show(await answer.json());
  } catch (error) {
    document.getElementById("summary").textContent = "No report: " + error.message;
    document.querySelector("main").classList.add("stale");
    document.title = "no answer · Outrider";
  }
  setTimeout(refresh, 5000);
}
refresh();
</script>
</html>
"""
"""HTML, whole."""
