"""The look of the page: the colours and shapes of the sidecar's own, with two more for training and the data."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6778; --line: #e4e7ec; --paper: #fff; --back: #f7f8fa;
        --ok: #16794c; --suspect: #a15c00; --drifted: #c4271c; --quiet: #5d6778;
        --train: #c3cad6; --rim: #7e8999; --data: #2f62c9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #2d3440; --paper: #181d26; --back: #11151c;
          --ok: #4cc38a; --suspect: #f0b429; --drifted: #ff7a70; --quiet: #98a2b3;
          --train: #465063; --rim: #8a95a8; --data: #7fa9ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
header, .head { display: flex; flex-wrap: wrap; gap: .35rem .9rem; align-items: baseline; }
h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
.count { color: var(--soft); font-weight: 400; margin-left: .25rem; }
.state { font-weight: 600; padding: .05rem .6rem; border: 1px solid currentColor; border-radius: 1rem; font-size: .8rem; }
.state.ok { color: var(--ok); } .state.suspect { color: var(--suspect); } .state.drifted { color: var(--drifted); }
.state.insufficient, .state.no_reference { color: var(--quiet); }
.head .state { margin-left: auto; }
.verdict { font-size: 1.15rem; margin: .6rem 0 .1rem; }
p.facts { color: var(--soft); margin: 0 0 1rem; overflow-wrap: anywhere; }
p.facts strong { color: var(--ink); font-weight: 600; }
nav { display: flex; flex-wrap: wrap; gap: .4rem; margin: 0 0 1rem; }
nav a { color: inherit; text-decoration: none; background: var(--paper); border: 1px solid var(--line); border-radius: .4rem;
        padding: .1rem .6rem; font-size: .9rem; overflow-wrap: anywhere; }
nav a.drifted { border-left: 3px solid var(--drifted); } nav a.suspect { border-left: 3px solid var(--suspect); }
nav a:hover, nav a:focus-visible { border-color: var(--data); }
.notes { color: var(--soft); padding-left: 1.1rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
.legend { display: flex; align-items: center; gap: .5rem; color: var(--soft); font-size: .9rem; margin: 0; }
.key { width: 1.4rem; height: .8rem; display: inline-block; border-radius: 2px; }
.key.train { background: var(--train); border: 1px solid var(--rim); }
.key.data { border: 2px solid var(--data); background: color-mix(in srgb, var(--data) 15%, transparent); margin-left: .75rem; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
article { background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1rem; min-width: 0;
          display: flex; flex-direction: column; }
article:target { outline: 2px solid var(--data); }
section.drifted article { border-top: 3px solid var(--drifted); }
section.suspect article { border-top: 3px solid var(--suspect); }
.kind { color: var(--soft); font-size: .85rem; margin: 0 0 .4rem; }
.why { margin: 0 0 .25rem; overflow-wrap: anywhere; }
.proof { color: var(--soft); font-size: .85rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
.together { margin: 0; padding-left: 1.1rem; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; margin: .4rem 0; overflow: visible; }
svg text { fill: var(--soft); font: 14px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
svg .train { fill: var(--train); stroke: var(--rim); stroke-width: .75; }
svg .data { fill: color-mix(in srgb, var(--data) 15%, transparent); stroke: var(--data); stroke-width: 1.75;
            stroke-linejoin: round; }
svg .bar { fill: var(--data); }
svg .unseen .bar { fill: var(--drifted); }
svg .unseen text, svg .soft text { font-style: italic; }
svg .axis { stroke: var(--line); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { padding: .2rem .4rem; text-align: right; border-top: 1px solid var(--line); white-space: nowrap; }
thead th, thead td { border-top: 0; }
th { color: var(--soft); font-weight: 600; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
table.facts th { font-weight: 400; }
table.facts { margin-top: auto; }
tr.drifted td { color: var(--drifted); } tr.suspect td { color: var(--suspect); }
.frame { overflow-x: auto; }
table.parts th.text, table.parts td.text { text-align: left; }
table.parts td { padding: .35rem .6rem; } table.parts th { padding: 0 .6rem .35rem; }
table.parts th:first-child, table.parts td:first-child { padding-left: 0; }
td.ok { color: var(--ok); } td.suspect { color: var(--suspect); } td.drifted { color: var(--drifted); font-weight: 600; }
td.insufficient, td.no_reference { color: var(--quiet); }
tr.reason > td { border-top: 0; padding-top: 0; text-align: left; white-space: normal; color: var(--soft); }
tr.reason div { position: sticky; left: 0; max-width: min(70rem, calc(100vw - 4.5rem)); overflow-wrap: anywhere; }
details { margin-top: .5rem; }
summary { cursor: pointer; color: var(--soft); font-size: .85rem; }
@media print { body { background: none; } article { break-inside: avoid; } }
"""
"""CSS, whole."""
