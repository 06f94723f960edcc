"""The style of a report page: one sheet, nothing from elsewhere, light and dark by the reader's system."""

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #fbfbf9; --panel: #ffffff; --ink: #1d2023; --soft: #5d6570; --rule: #dfe1e4;
  --line: #1f5fa8; --fill: rgba(31, 95, 168, .13); --loss: #b3261e; --lossfill: rgba(179, 38, 30, .14);
  --gain: #1a7340; --warn: #8a5a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --panel: #1b1f23; --ink: #e6e8ea; --soft: #9aa3ad; --rule: #31373d;
    --line: #7ab4f5; --fill: rgba(122, 180, 245, .16); --loss: #f2887f; --lossfill: rgba(242, 136, 127, .17);
    --gain: #6fce96; --warn: #e3b35a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 70rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-variant-numeric: tabular-nums;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .75rem; padding-top: .9rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { margin: .35rem 0; max-width: 46rem; }
.soft, figcaption, th, dt, footer { color: var(--soft); }
.soft { font-size: .87rem; }
.notice { border-left: 3px solid var(--warn); padding: .15rem .8rem; margin: .8rem 0; overflow-wrap: anywhere; }
.gain { color: var(--gain); } .loss { color: var(--loss); } .warn { color: var(--warn); }
.cards, .charts { display: grid; gap: .8rem; }
.cards { margin-top: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); }
.card { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: .8rem 1rem; }
.card h3 { margin: 0; }
.card .big { font-size: 1.6rem; line-height: 1.35; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; margin: .5rem 0 0; font-size: .9rem; }
dd { margin: 0; text-align: right; white-space: nowrap; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1.2rem 2rem; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: .87rem; margin-bottom: .75rem; }
figcaption b { color: var(--ink); font-weight: 600; }
.plot { display: grid; grid-template-columns: auto 1fr; column-gap: .5rem; font-size: .75rem; color: var(--soft); }
.plot svg { display: block; width: 100%; height: 9rem; overflow: visible; }
.ys { position: relative; height: 9rem; }
.ys i { font-style: normal; visibility: hidden; display: block; height: 0; }
.ys span { position: absolute; right: 0; transform: translateY(-50%); white-space: nowrap; }
.xs { grid-column: 2; display: flex; justify-content: space-between; gap: .5rem; padding-top: .25rem; }
.xs span { white-space: nowrap; }
svg path, svg line { vector-effect: non-scaling-stroke; }
.grid { stroke: var(--rule); stroke-width: 1; } .zero { stroke: var(--soft); stroke-width: 1; }
.line { fill: none; stroke: var(--line); stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }
.dot { stroke-width: 5; }
.area { fill: var(--fill); stroke: none; }
.down .line { stroke: var(--loss); } .down .area { fill: var(--lossfill); }
.bar { fill: var(--line); } .bar:hover { opacity: .7; }
.empty {
  border: 1px dashed var(--rule); border-radius: 6px; padding: .8rem 1rem; margin: .9rem 0; color: var(--soft);
}
figure .empty { margin: 0; }
.wide { overflow-x: auto; }
.slim { max-width: 40rem; }
.slim td:first-child { white-space: normal; }
table { border-collapse: collapse; font-size: .87rem; width: 100%; }
th { font-weight: 500; text-align: left; border-bottom: 1px solid var(--rule); vertical-align: bottom; }
th, td { padding: .28rem .9rem .28rem 0; white-space: nowrap; }
td { border-bottom: 1px solid var(--rule); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
th.n, td.n { text-align: right; }
td.text { white-space: normal; min-width: 16rem; overflow-wrap: anywhere; }
footer { margin-top: 3rem; font-size: .87rem; }
@media print { body { max-width: none; } .wide { overflow: visible; } }
"""
