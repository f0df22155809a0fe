// The stylesheet of all pages. Pure. No size of text is below 12 px, and every colour of text has a contrast of 4.5 to 1.
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --sheet: #fff; --line: #dfe3e8; --faint: #eef0f3;
  --text: #16191d; --soft: #555d68; --link: #0b57c4; --ring: #0b57c4;
  --good: #0a6b3d; --good-ground: #e2f4ea; --warning: #7d4e00; --warning-ground: #fdf0d3;
  --bad: #b3201b; --bad-ground: #fdeae9; --edge: #d9971e; --accent: #0b57c4; --on-accent: #fff; --bar: #4a83d6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #101317; --sheet: #181c22; --line: #2c323b; --faint: #20252d;
    --text: #e7eaee; --soft: #a2abb8; --link: #8ab8ff; --ring: #8ab8ff;
    --good: #6fd39b; --good-ground: #12301f; --warning: #f0bf5e; --warning-ground: #33270f;
    --bad: #ff9a94; --bad-ground: #3a1a1a; --edge: #f0bf5e; --accent: #8ab8ff; --on-accent: #0b1320; --bar: #6ea3ee;
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { font: 14px/1.5 system-ui, sans-serif; background: var(--ground); color: var(--text); -webkit-text-size-adjust: 100%; }
body { margin: 0; }
h1 { font-size: 22px; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; margin: 0 0 16px; }
h2 { font-size: 15px; line-height: 1.3; font-weight: 650; margin: 0 0 10px; }
h3 { font-size: 14px; font-weight: 650; margin: 0 0 4px; }
p { margin: 0 0 10px; max-width: 72ch; }
p:last-child, ul:last-child { margin-bottom: 0; }
a { color: var(--link); text-underline-offset: 2px; }
code, pre, kbd { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { overflow-wrap: anywhere; }
bdi { overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--ring); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
.skip { position: absolute; left: 8px; top: -60px; background: var(--sheet); padding: 8px 12px; z-index: 2; }
.skip:focus { top: 8px; }
.none, .manual, .age { color: var(--soft); }
.manual { font-size: 13px; }

.top { background: var(--sheet); border-bottom: 1px solid var(--line); }
.bar { max-width: 1120px; margin: 0 auto; padding: 0 20px; display: flex; flex-wrap: wrap; align-items: center; column-gap: 24px; }
.brand { display: inline-flex; align-items: center; gap: 8px; font-weight: 650; color: inherit; text-decoration: none; padding: 12px 0; margin: 0; }
.mark { fill: var(--accent); flex: none; }
.bar nav { flex: 1 1 auto; }
.bar ul { display: flex; flex-wrap: wrap; list-style: none; gap: 0 4px; margin: 0; padding: 0; }
.bar li a { display: block; padding: 12px 10px 10px; color: var(--soft); text-decoration: none; border-bottom: 2px solid transparent; }
.bar li a:hover { color: var(--text); }
.bar li a[aria-current] { color: var(--text); font-weight: 600; border-bottom-color: var(--accent); }
.viewer { display: flex; align-items: center; gap: 10px; color: var(--soft); font-size: 13px; padding: 6px 0; }

main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 56px; }
main.alone { max-width: 480px; padding-top: 8vh; }
main.alone .brand { padding: 0; margin: 0 0 28px; }
.sheet { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: 16px 18px; margin: 0 0 16px; min-width: 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 16px; margin: 0 0 16px; align-items: start; }
.grid > .sheet { margin: 0; height: 100%; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; }
.row > .end { margin-left: auto; }
.head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 10px; margin: 0 0 10px; }
.head > * { margin: 0; }

.notice { border: 1px solid; border-radius: 8px; padding: 10px 14px; margin: 0 0 16px; }
.notice.good { color: var(--good); background: var(--good-ground); }
.notice.bad { color: var(--bad); background: var(--bad-ground); }
.badge { display: inline-block; border-radius: 999px; padding: 1px 9px; font-size: 12px; line-height: 18px; font-weight: 600; white-space: nowrap; background: var(--faint); color: var(--soft); }
.badge.good { background: var(--good-ground); color: var(--good); }
.badge.warning { background: var(--warning-ground); color: var(--warning); }
.badge.bad { background: var(--bad-ground); color: var(--bad); }
.verdict { border-left: 4px solid var(--soft); }
.verdict.good { border-left-color: var(--good); }
.verdict.warning { border-left-color: var(--edge); }
.verdict.bad { border-left-color: var(--bad); }
.verdict h2 { font-size: 18px; }
.verdict .age { max-width: none; font-size: 13px; }
.todo { margin: 0 0 10px; padding: 0; list-style: none; }
.todo li + li { margin-top: 10px; }

.facts { margin: 0; display: grid; gap: 0; }
.facts > div { display: flex; gap: 4px 16px; justify-content: space-between; padding: 5px 0; border-top: 1px solid var(--faint); }
.facts > div:first-child { border-top: 0; }
.facts dt { color: var(--soft); flex: none; }
.facts dd .none { display: block; font-size: 13px; }
.facts.wide > div { justify-content: flex-start; }
.facts.wide dt { width: 88px; }
.facts.wide dd { text-align: left; }
.facts dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; min-width: 0; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 130px), 1fr)); gap: 12px 20px; margin: 0; }
.figures > div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.figures dt { color: var(--soft); font-size: 13px; }
.figures dd { margin: 0; font-size: 24px; line-height: 1.2; font-weight: 620; font-variant-numeric: tabular-nums; letter-spacing: -0.01em; }
.figures small { display: block; font-size: 12px; }

.scroll { overflow-x: auto; margin: 0 0 12px; }
.facts + .scroll { margin-top: 14px; }
.scroll:last-child { margin-bottom: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: 13px; padding: 0 0 6px; }
th, td { text-align: left; vertical-align: top; padding: 6px 16px 6px 0; border-bottom: 1px solid var(--faint); }
tr > :last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 500; font-size: 13px; border-bottom-color: var(--line); white-space: nowrap; }
tbody th { font-weight: 500; }
tbody tr:last-child > * { border-bottom: 0; }
.number { text-align: right; }
time { white-space: nowrap; }

label { display: block; font-weight: 600; margin: 0 0 4px; }
.hint { color: var(--soft); font-size: 13px; margin: 4px 0 0; max-width: 90ch; }
.hint + p { margin-top: 10px; }
.problem { color: var(--bad); margin: 4px 0 0; }
input, select { font: inherit; color: inherit; background: var(--sheet); border: 1px solid var(--soft); border-radius: 6px; padding: 7px 10px; max-width: 100%; min-width: 0; }
input[aria-invalid="true"] { border-color: var(--bad); }
main.alone input { width: 100%; }
.field { margin: 0 0 14px; }
.filter { display: flex; flex-wrap: wrap; gap: 10px 14px; align-items: end; margin: 0 0 14px; }
button, .button { font: inherit; font-weight: 600; color: var(--text); background: var(--sheet); border: 1px solid var(--soft); border-radius: 6px; padding: 6px 14px; cursor: pointer; text-decoration: none; display: inline-block; }
button:hover, .button:hover { background: var(--faint); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.primary:hover { filter: brightness(1.08); }
button.danger { border-color: var(--bad); color: var(--bad); }
button.danger:hover { background: var(--bad-ground); }
button.quiet { border-color: transparent; background: none; color: var(--link); padding: 4px 6px; font-weight: 500; }
button.quiet:hover { text-decoration: underline; }
form { margin: 0; }
details { margin: 10px 0 0; }
summary { cursor: pointer; color: var(--soft); }
.pager { padding: 8px 0 0; }

.copy { display: flex; align-items: start; gap: 8px; margin: 6px 0 12px; padding: 0 8px 0 0; background: var(--faint); border-radius: 6px; }
.copy:last-child { margin-bottom: 0; }
.copy button { order: 1; flex: none; margin-top: 7px; padding: 2px 10px; font-size: 12px; }
pre { flex: 1; min-width: 0; margin: 0; padding: 10px 12px; background: var(--faint); border-radius: 6px; overflow-x: auto; tab-size: 2; }
.contents, .contents:last-child { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; margin: 0 0 16px; padding: 0; }

@media (max-width: 640px) {
  .bar, main { padding-left: 14px; padding-right: 14px; }
  .bar nav { order: 3; flex-basis: 100%; }
  .viewer { margin-left: auto; }
  .bar ul { gap: 0; justify-content: space-between; }
  .bar li a { padding: 6px 3px 8px; font-size: 13px; }
  .sheet { padding: 14px; }
  .copy { display: block; padding: 0; }
  .copy button { margin: 0 0 10px 12px; }
}
@media print { .top, form { display: none; } }
`;
