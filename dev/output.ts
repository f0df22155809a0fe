// What `wrangler dev` writes, reduced to what the Worker logs and what went wrong.
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";

export interface HeldOutput {
  /** The lines so far. */
  held: () => string[];
  /** Drops them, and passes on what comes from now on. */
  release: () => void;
}

// What repeats the banner (bindings, address, how to fire a cron), what the Worker logs better (each request), and
// where wrangler keeps its own log.
const NOISE = [
  /^$/,
  /^Using secrets defined in /,
  /^Your Worker has access to the following bindings:$/,
  /^Binding +Resource /,
  /^env\.\w+ /,
  /^⎔ Connection status updated$/,
  /^\[wrangler:info\] /,
  /^⎔ Starting local server/,
  /Scheduled Workers are not automatically triggered/,
  /^ *To manually trigger a scheduled event, run:$/,
  /^ *curl "\S+\/cdn-cgi\/local\/scheduled"$/,
  /^ *For more details, see \S+#test-cron-triggers-locally$/,
  /^🪵 /u,
  // esbuild, when wrangler has gone before it.
  /^fatal error: all goroutines are asleep - deadlock!$/,
];

// wrangler marks what the Worker writes with console.error and console.warn; the Worker's lines say their level.
const MARK = /^(?:✘ \[ERROR\]|▲ \[WARNING\]) (?=\d\d:\d\d:\d\d\.\d{3} )/u;

/** The line as it is to be shown; undefined when it is not. */
export function readable(line: string): string | undefined {
  const plain = stripVTControlCharacters(line).trimEnd();
  return NOISE.some((noise) => noise.test(plain)) ? undefined : plain.replace(MARK, "");
}

/** What wrangler says while it starts matters only when it fails; afterwards it is the Worker's log. */
export function holdOutput({ stdout, stderr }: ChildProcess): HeldOutput {
  let held: string[] | undefined = [];
  const show = (input: NodeJS.ReadableStream | null, target: NodeJS.WritableStream) => {
    if (input === null) return;
    createInterface({ input, crlfDelay: Infinity }).on("line", (raw) => {
      const line = readable(raw);
      if (line === undefined) return;
      if (held === undefined) target.write(`${line}\n`);
      else held.push(line);
    });
  };
  show(stdout, process.stdout);
  show(stderr, process.stderr);
  return { held: () => held ?? [], release: () => void (held = undefined) };
}
