// How the pages look: the colours of the system's light or dark scheme, with a contrast of at least 4.5 to 1.
import { raw } from "hono/html";

export const style = raw(`
:root { color-scheme: light dark; --text: light-dark(#1b1f24, #e8eaed); --quiet: light-dark(#565d66, #a6adb6);
  --page: light-dark(#f3f4f6, #15181c); --card: light-dark(#fff, #1f2329); --line: light-dark(#868e99, #767e89);
  --main: light-dark(#0b57d0, #a8c7fa); --on-main: light-dark(#fff, #062e6f); --wrong: light-dark(#b3261e, #f2b8b5); }
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; }
main { max-width: 34rem; margin: 4vh auto; padding: 1.5rem; background: var(--card); border-radius: .75rem;
  border: 1px solid color-mix(in srgb, var(--line) 40%, transparent); }
h1 { margin: 0 0 1rem; font-size: 1.4rem; line-height: 1.3; }
h2 { margin: 0 0 .25rem; font-size: 1rem; }
p { margin: .25rem 0; }
a { color: var(--main); }
code { font-size: .9em; color: var(--quiet); }
dt { margin-top: .75rem; color: var(--quiet); font-size: .9rem; }
dd { margin: 0; }
ul { margin: 0 0 .25rem; padding-left: 1.25rem; }
.warning { margin: .5rem 0 0; padding: .5rem .75rem; border-left: .25rem solid var(--main); background: var(--page); }
.problem { margin: 0 0 1.25rem; padding: .75rem 1rem; border: 2px solid var(--wrong); border-radius: .5rem; }
.problem a, .wrong { color: var(--wrong); }
form { margin-top: 1.5rem; }
label { font-weight: 600; }
#hint { margin: 0 0 .5rem; color: var(--quiet); font-size: .9rem; }
input { width: 100%; padding: .6rem .75rem; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--line); border-radius: .4rem; }
input[aria-invalid] { border: 2px solid var(--wrong); }
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1rem; }
button { flex: 1 1 8rem; padding: .65rem 1rem; font: inherit; font-weight: 600; cursor: pointer; border-radius: .4rem;
  color: var(--on-main); background: var(--main); border: 1px solid var(--main); }
button.other { color: var(--main); background: transparent; }
:focus-visible { outline: 3px solid var(--main); outline-offset: 2px; }
`);
