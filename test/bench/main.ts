// `npm run bench -- <name>`: each bench starts what it needs, is bounded in time, and leaves nothing behind.
import { join } from "node:path";
import { Failure } from "../../dev/failure.ts";
import { type Life, untilAsked } from "../../dev/shutdown.ts";
import { breaker } from "./breaker.ts";
import { soak } from "./soak.ts";
import { touch } from "./touch.ts";

export type Bench = (life: Life, args: string[]) => Promise<void>;

const benches: Record<string, Bench> = { soak, breaker, touch };

// What a shell says of a command that Ctrl-C has ended: a bench that did not end has shown nothing.
const INTERRUPTED = 130;

process.chdir(join(import.meta.dirname, "../.."));
let wasAsked = false;
const exitCode = await untilAsked(async (life) => {
  life.asked.addEventListener("abort", () => (wasAsked = true));
  const [name = "", ...args] = process.argv.slice(2);
  const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (bench === undefined) {
    throw new Failure(
      `${name === "" ? "Which bench?" : `There is no bench ${name}.`} npm run bench -- ${Object.keys(benches).join(" | ")}`,
    );
  }
  await bench(life, args);
});
process.exit(wasAsked ? INTERRUPTED : exitCode);
