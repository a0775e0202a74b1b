/** The look of the report page: light, dark and on paper. */

/** Paper prints these too, whatever the screen shows. `--g0` to `--g7` tell generator families apart. */
const LIGHT = `
    --paper: #ffffff; --ink: #1b1f24; --muted: #5d6672; --line: #d8dde3; --tint: #f5f7f9; --accent: #2f6bd8;
    --g0: #3b6fd4; --g1: #d0760a; --g2: #1f9554; --g3: #cf4257; --g4: #8250c4; --g5: #0b8fa6; --g6: #bf4d96; --g7: #86662f;
    --other: #7d8590; --bad: #b42335;`;

const DARK = `
    --paper: #14171b; --ink: #e6e9ed; --muted: #a0a9b4; --line: #343b44; --tint: #1c2127; --accent: #7ba8ff;
    --g0: #7ba8ff; --g1: #f0a848; --g2: #5ccb8b; --g3: #f47f8e; --g4: #b998f6; --g5: #4cc9dc; --g6: #ee90ca; --g7: #c8a96c;
    --other: #9aa3ad; --bad: #ff8f9c;`;

export const STYLE = `
:root {
  color-scheme: light dark;
  ${LIGHT}
}
@media (prefers-color-scheme: dark) {
  :root {
    ${DARK}
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 66rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 3rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
.sub, figcaption, .meaning, caption { color: var(--muted); }
.sub { margin: .3rem 0 0; font-size: .95rem; }
.notes { background: var(--tint); border-left: 4px solid var(--accent); padding: .6rem 1rem; margin: 1.25rem 0; }
.notes ul { margin: 0; padding-left: 1.1rem; }
.scroll { overflow-x: auto; }
.scroll table { min-width: 34rem; }
.scroll table.fit, .lists .scroll table { min-width: 0; }
table.fit { width: auto; min-width: min(24rem, 100%); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th { font-weight: 600; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.text { overflow-wrap: anywhere; }
img.miss { max-width: 7.5rem; max-height: 7.5rem; border-radius: 3px; }
.headline td:not(.meaning) { font-size: 1.25rem; font-weight: 600; white-space: nowrap; }
.headline th:first-child { white-space: nowrap; }
.headline .ci { display: block; font-size: .8rem; font-weight: 400; color: var(--muted); }
.headline .meaning, .headline th.meaning { text-align: left; font-size: .9rem; padding-left: 1.4rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem 2.5rem; align-items: start; }
figure { margin: 1rem 0 0; min-width: 0; }
figure > h3 { margin: 0 0 .25rem; }
figure svg { width: 100%; height: auto; }
figcaption { font-size: .9rem; margin-top: .5rem; }
figcaption strong { color: var(--ink); }
.legend { display: flex; flex-wrap: wrap; gap: .15rem 1rem; font-size: .9rem; margin: .25rem 0 .5rem; padding: 0; list-style: none; overflow-wrap: anywhere; }
.legend i { display: inline-block; width: .75em; height: .75em; border-radius: 50%; margin-right: .4em; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(45%, 11.5rem), 1fr)); gap: 1rem 1.25rem; }
.panel h4 { font-size: .9rem; margin: 0; overflow-wrap: anywhere; }
.panel p { font-size: .8rem; margin: 0; color: var(--muted); }
.panel svg { width: 100%; height: auto; }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem 2.5rem; align-items: start; }
.lists > * { min-width: 0; }
.lists table, .small { font-size: .88rem; }
.bad { color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; font-size: .9rem; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  body { padding: 1.25rem 1rem 3rem; }
  .headline thead { display: none; }
  .headline tr { display: flex; flex-wrap: wrap; align-items: baseline; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .headline th, .headline td { border: 0; padding: .1rem .4rem .1rem 0; }
  .headline th:first-child { flex: 1 0 100%; }
  .headline td:not(.meaning) { flex: 1 0 30%; text-align: left; }
  .headline td[data-of]::before { content: attr(data-of); display: block; font-size: .75rem; font-weight: 400; color: var(--muted); }
  .headline .meaning { flex: 1 0 100%; padding-left: 0; }
  th, td { padding: .3rem .4rem; }
}
@media print {
  :root {
    color-scheme: light;
    ${LIGHT}
  }
  body { font-size: 10.5pt; max-width: none; padding: 0; }
  figure, .panel, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .figures { grid-template-columns: 1fr 1fr; gap: 1rem 1.5rem; }
}
`;
