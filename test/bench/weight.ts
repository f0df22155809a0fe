// What the Worker weighs: its bundle, its start, and the heap of an isolate after many requests.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as z from "zod";
import type { Life } from "../../dev/shutdown.ts";
import { migrate } from "../../drizzle/migrate.ts";
import type { Figure } from "./figures.ts";
import { onServer, type Server } from "./server.ts";
import { exchange } from "./soak/wire.ts";
import { newKey, startWorker } from "./system.ts";

const CLIENTS = 8;
// One principal may open 120 a minute.
const SESSIONS = 100;
const PAIRS = 5;
const SAMPLE_MS = 50;
const DATABASE = "weight";

const inspectorTargets = z.tuple([z.object({ webSocketDebuggerUrl: z.string() })]).rest(z.unknown());
const heapUsage = z.object({ result: z.object({ usedSize: z.number() }) });

export async function weight(life: Life, quick: boolean): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-weight-"));
  try {
    const starts: number[] = [];
    for (let i = 0; i <= (quick ? 0 : PAIRS); i++)
      starts.push(await startMs(join(folder, `start-${i}.cpuprofile`)));
    const heap = await onServer((server) => heaps(life, server, quick ? 500 : 20_000));
    return [
      { what: "bundle, KiB gzipped", values: [await bundleKiB(folder)], digits: 0, goal: { atMost: 260 } },
      // The first one is the warm-up.
      { what: "start, ms of CPU", values: starts.slice(quick ? 0 : 1), digits: 1, goal: { atMost: 40 } },
      ...heap,
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function wrangler(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [fileURLToPath(import.meta.resolve("wrangler")), ...args],
    { env: { ...process.env, DATABASE_URL: "", API_KEYS: "", WRANGLER_SEND_METRICS: "false" } },
  );
  return stdout;
}

async function bundleKiB(folder: string): Promise<number> {
  const output = await wrangler("deploy", "--dry-run", "--outdir", folder);
  return Number(/gzip: ([\d.]+) KiB/.exec(output)?.[1]);
}

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string } }[];
  samples: number[];
  timeDeltas: number[];
}

/** Until the Worker can take requests, on this machine. */
async function startMs(file: string): Promise<number> {
  await wrangler("check", "startup", "--outfile", file);
  const { nodes, samples, timeDeltas }: CpuProfile = JSON.parse(readFileSync(file, "utf8"));
  const waiting = new Set(
    nodes.filter(({ callFrame }) => callFrame.functionName === "(idle)").map(({ id }) => id),
  );
  const busy = timeDeltas.filter((_, i) => !waiting.has(samples[i] ?? -1));
  return busy.reduce((sum, microseconds) => sum + microseconds, 0) / 1000;
}

/** MB of the isolate's heap, along its first requests and after all. */
async function heaps(life: Life, server: Server, total: number): Promise<Figure[]> {
  await server.admin(`CREATE DATABASE ${DATABASE}`);
  await migrate(server.config(DATABASE));
  const key = newKey();
  const { url, inspectorPort } = await startWorker(life, {
    secrets: { DATABASE_URL: server.url(DATABASE), API_KEYS: `alice:mcp:${key}` },
    vars: { NEON_ENDPOINT_OVERRIDE: server.neon.endpoint, LOG_LEVEL: "error" },
  });
  const ask = async (method: string, session?: string, params?: object) => {
    const answer = await exchange({
      url: `${url}/mcp`,
      key,
      ...(session !== undefined && { session }),
      message: { method, ...(params !== undefined && { params }) },
      patienceMs: 15_000,
    });
    if (answer.status !== 200)
      throw new Error(`${method} was answered with ${answer.status}: ${answer.text}`);
    return answer;
  };
  const initialize = {
    protocolVersion: "2025-11-25",
    clientInfo: { name: "bench", version: "1" },
    capabilities: {},
  };
  const sessions: string[] = [];
  for (let i = 0; i < SESSIONS; i++) {
    const { headers } = await ask("initialize", undefined, initialize);
    sessions.push(headers.get("Mcp-Session-Id") ?? "");
  }
  const leastMb = await watchHeap(life, inspectorPort);
  let asked = 0;
  const askUntil = async (count: number) => {
    const client = async () => {
      while (asked < count) {
        life.asked.throwIfAborted();
        const turn = asked++;
        await ask("tools/list", sessions[turn % SESSIONS]);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    const mb = leastMb();
    console.log(`  ${count} requests: a heap of ${mb.toFixed(2)} MB`);
    return mb;
  };
  const warm = await askUntil(total / 10);
  const later: number[] = [];
  for (let i = 1; i <= PAIRS; i++) later.push(await askUntil(total / 10 + (total * 0.9 * i) / PAIRS));
  return [
    { what: `heap after ${total / 10} requests, MB`, values: [warm], digits: 1 },
    {
      what: `heap up to ${total} requests, against that`,
      values: later.map((mb) => mb / warm),
      goal: { atMost: 1.1 },
    },
  ];
}

/**
 * Watches the isolate's heap through the inspector of `wrangler dev`, which cannot be told to collect garbage: what counts
 * is the least of what is used within a while. The function that comes back gives that, in MB, and begins anew.
 */
async function watchHeap(life: Life, inspectorPort: number): Promise<() => number> {
  const targets = await fetch(`http://127.0.0.1:${inspectorPort}/json`);
  const [target] = inspectorTargets.parse(await targets.json());
  // It lets pages of this machine in.
  const socket = new WebSocket(target.webSocketDebuggerUrl, { headers: { Origin: "http://localhost" } });
  let least = Infinity;
  socket.addEventListener("message", ({ data }) => {
    const used = heapUsage.safeParse(JSON.parse(String(data)));
    if (used.success) least = Math.min(least, used.data.result.usedSize / 1024 / 1024);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error("The inspector does not answer.")));
  });
  let id = 0;
  const asking = setInterval(
    () => socket.send(JSON.stringify({ id: ++id, method: "Runtime.getHeapUsage" })),
    SAMPLE_MS,
  );
  life.defer("The watch on the heap", () => {
    clearInterval(asking);
    socket.close();
  });
  return () => {
    if (least === Infinity) throw new Error("The inspector said nothing of the heap.");
    const mb = least;
    least = Infinity;
    return mb;
  };
}
