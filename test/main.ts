// `npm test`: the tests in workerd and those in Node side by side, for each wait for half of their time. One Vitest runs
// them one after the other; that is what arguments get: `npm test -- test/session`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { guardRun } from "./support/run.ts";

const projects = ["worker", "node"];

guardRun();
const args = process.argv.slice(2);
const parts = args.length > 0 ? [projects] : projects.map((project) => [project]);
const exits = await Promise.all(
  parts.map(async (part) => {
    const vitest = spawn(
      "vitest",
      [
        "run",
        "--config",
        "test/vitest.config.ts",
        ...part.flatMap((project) => ["--project", project]),
        ...args,
      ],
      // A terminal belongs to one of them only; into a pipe both write whole lines.
      { stdio: parts.length === 1 ? "inherit" : ["ignore", "pipe", "pipe"] },
    );
    vitest.stdout?.pipe(process.stdout, { end: false });
    vitest.stderr?.pipe(process.stderr, { end: false });
    const [code] = (await once(vitest, "close")) as [number | null];
    return code;
  }),
);
// One that a signal has ended has no code.
if (exits.some((code) => code !== 0)) process.exitCode = 1;
