// What `npm run test:deploy` ends with: the size of what a deploy uploads, and what its start costs workerd, beside a Worker that does
// nothing. Processor time, so that other work of the machine does not count.
import { gzipSync } from "node:zlib";
import { cpuMsOf } from "../bench/workerd.ts";
import { deployOnce, runnable } from "./deployed.ts";
import { scriptOf } from "./upload.ts";
import { type Runnable, startWorkerd } from "./workerd.ts";

// Odd, for a median that was measured.
const STARTS = 11;
const NOTHING = `export default { fetch: () => new Response("ok"), scheduled() {} };`;
// Nobody listens there: /healthz asks no database.
const NO_NEON = 9;

const version = await deployOnce("postgresql://role:password@ep-name-12345678.region.aws.neon.tech/database");
const script = scriptOf(version.upload);
const worker = runnable(version);

/** From the start of the process to its first answer. */
async function startMs(one: Runnable): Promise<number> {
  const running = await startWorkerd(one, NO_NEON);
  try {
    const response = await fetch(`${running.url}/healthz`);
    if (response.status !== 200) throw new Error(`/healthz says ${response.status}`);
    return cpuMsOf(String(running.pid));
  } finally {
    await running.stop();
  }
}

async function medianMs(one: Runnable): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < STARTS; i++) all.push(await startMs(one));
  return all.toSorted((a, b) => a - b)[(STARTS - 1) / 2] ?? 0;
}

const empty = await medianMs({ ...worker, script: Buffer.from(NOTHING) });
const full = await medianMs(worker);
const kib = (bytes: number) => (bytes / 1024).toFixed(1);
console.log(`uploaded: ${kib(script.length)} KiB, gzipped ${kib(gzipSync(script).length)} KiB`);
console.log(
  `source map: ${kib(version.upload.parts.find(({ name }) => name.endsWith(".map"))?.bytes.length ?? 0)} KiB`,
);
console.log(
  `start to first answer: ${full.toFixed(0)} ms of processor, ${empty.toFixed(0)} ms for a Worker of one line`,
);
