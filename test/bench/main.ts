// `npm run bench -- <name>`: each bench starts what it needs, is bounded in time, and leaves nothing behind. Without a name
// all that measure run, one after the other; `--quick` does less of everything, `--json` prints what tables are made of.
import { join } from "node:path";
import { Failure } from "../../dev/failure.ts";
import { type Life, untilAsked } from "../../dev/shutdown.ts";
import { adopt } from "./adopt.ts";
import { breaker } from "./breaker.ts";
import { cleanup } from "./cleanup.ts";
import { day } from "./day.ts";
import { type Figure, machine, render, summaryOf } from "./figures.ts";
import { cpu } from "./cpu.ts";
import { growth } from "./growth.ts";
import { hostile } from "./hostile.ts";
import { idle } from "./idle.ts";
import { large } from "./large.ts";
import { page } from "./page.ts";
import { peers } from "./peers.ts";
import { requests } from "./requests.ts";
import { soak } from "./soak.ts";
import { streams } from "./streams.ts";
import { tasks } from "./tasks.ts";
import { touch } from "./touch.ts";
import { weight } from "./weight.ts";

/** With `quick` it shows that it works, and gives no figure to quote. */
type Bench = (life: Life, quick: boolean) => Promise<Figure[]>;

/** What measures without being named. */
const regular: Record<string, Bench> = {
  cleanup,
  large,
  touch,
  requests,
  idle,
  cpu,
  weight,
  page,
};
/** What measures. `adopt` takes ten minutes of its own, `growth` nine, `day` six, `streams` three, `tasks` five, `peers` ten. */
const benches: Record<string, Bench> = { ...regular, adopt, growth, day, streams, tasks, peers };
/** What does not measure, but tries: it fails when it finds a fault. */
const trials: Record<string, (life: Life, args: string[]) => Promise<void>> = {
  soak,
  breaker,
  hostile,
};

// What a shell says of a command that Ctrl-C has ended: a bench that did not end has shown nothing.
const INTERRUPTED = 130;

process.chdir(join(import.meta.dirname, "../.."));
let wasAsked = false;
const exitCode = await untilAsked(async (life) => {
  life.asked.addEventListener("abort", () => (wasAsked = true));
  const args = process.argv.slice(2);
  const names = args.filter((arg) => !arg.startsWith("--"));
  for (const name of names) {
    if (Object.hasOwn(benches, name) || Object.hasOwn(trials, name)) continue;
    throw new Failure(
      `There is no bench ${name}. npm run bench -- ${Object.keys({ ...benches, ...trials }).join(" | ")}`,
    );
  }
  const results: Record<string, Figure[]> = {};
  for (const name of names.length > 0 ? names : Object.keys(regular)) {
    console.log(`\n${name}`);
    await trials[name]?.(
      life,
      args.filter((arg) => arg !== name),
    );
    const figures = await benches[name]?.(life, args.includes("--quick"));
    if (figures === undefined) continue;
    results[name] = figures;
    console.log(render(figures));
  }
  if (Object.keys(results).length > 1) {
    console.log(`\n${machine()}`);
    for (const [name, figures] of Object.entries(results)) console.log(`\n${name}\n${render(figures)}`);
  }
  if (args.includes("--json")) {
    const summaries = Object.entries(results).map(([name, figures]) => [
      name,
      figures.map((figure) => ({ ...figure, ...summaryOf(figure) })),
    ]);
    console.log(JSON.stringify({ machine: machine(), figures: Object.fromEntries(summaries) }));
  }
});
process.exit(wasAsked ? INTERRUPTED : exitCode);
