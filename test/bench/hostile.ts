// What one key can do to the Worker: 300 sessions whose clients say as much as they may, and bodies that no client would send.
// Fails when a body is answered with 5xx, or the Worker does not live on.
import { randomBytes } from "node:crypto";
import { Failure } from "../../dev/failure.ts";
import { startLocalNeon } from "../../dev/neon/server.ts";
import type { Life } from "../../dev/shutdown.ts";
import { type HostileBody, hostileBodies } from "../support/hostile.ts";
import { percentile } from "./figures.ts";
import { openInspector } from "./inspector.ts";
import { refusals } from "./refusals.ts";
import { table } from "./soak/tally.ts";
import { type BenchDatabase, newKey, startDatabase, startWorker } from "./system.ts";
import { cpuMsOf, workerdProcesses } from "./workerd.ts";

const SESSIONS = 300;
// The largest of these that is taken is the largest client data, to a few bytes.
const SIZES = [1_048_000, 262_000, 65_000, 16_000];
// One principal may open 120 sessions a minute.
const PAUSE_MS = 5000;
// So that the rate limit stands before few of the bodies.
const KEYS = 30;
const DEAREST = 8;

/** @param args `--cached` lets the isolate serve sessions from its cache; `--bodies` opens no 300 sessions first. */
export async function hostile(life: Life, args: string[]): Promise<void> {
  const database = await startDatabase(life);
  const neon = await startLocalNeon({ postgres: database.postgres });
  life.defer("The local Neon", () => neon.close());
  const keys = Array.from({ length: KEYS }, newKey);
  const { url, inspectorPort } = await startWorker(life, {
    secrets: {
      DATABASE_URL: database.databaseUrl,
      API_KEYS: keys.map((key, i) => `client-${i}:mcp:${key}`).join(" "),
    },
    vars: {
      NEON_ENDPOINT_OVERRIDE: neon.endpoint,
      LOG_LEVEL: "error",
      ...(args.includes("--cached") && { MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "3600" }),
    },
  });
  const heapMb = await openInspector(life, inspectorPort);
  const post = async (text: string, turn: number, session?: string) => {
    life.asked.throwIfAborted();
    const response = await fetch(`${url}/mcp`, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${keys[turn % KEYS] ?? ""}`,
        Accept: "application/json, text/event-stream",
        "Content-Type": "application/json",
        ...(session !== undefined && { "Mcp-Session-Id": session }),
      },
      body: text,
    });
    const answer = await response.text();
    return { status: response.status, session: response.headers.get("Mcp-Session-Id"), answer };
  };
  if (!args.includes("--bodies")) await fill(database, heapMb, post);
  await tryAll(post);
}

type Post = (
  text: string,
  turn: number,
  session?: string,
) => Promise<{ status: number; session: string | null; answer: string }>;

const initialize = (bytes: number) =>
  JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: {
      protocolVersion: "2025-11-25",
      // It cannot be compressed.
      clientInfo: { name: randomBytes(bytes).toString("base64").slice(0, bytes), version: "1" },
      capabilities: {},
    },
  });
const ping = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping" });

/** 300 sessions of the largest client data by one key: what the isolate and the table are before and after. */
async function fill({ ask }: BenchDatabase, heapMb: () => Promise<number>, post: Post): Promise<void> {
  const open = async (bytes: number): Promise<string | undefined> => {
    for (;;) {
      const { status, session } = await post(initialize(bytes), 0);
      if (status !== 429) return session ?? undefined;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  let largest: number | undefined;
  for (const bytes of SIZES) largest ??= (await open(bytes)) === undefined ? undefined : bytes;
  if (largest === undefined) throw new Failure("The Worker opens no session.");
  await ask("TRUNCATE mcp_sessions");
  const measure = async () => {
    const [size] = await ask<{ bytes: string }>("SELECT pg_total_relation_size('mcp_sessions') AS bytes");
    return [
      await heapMb(),
      workerdProcesses().reduce((sum, { residentMb }) => sum + residentMb, 0),
      Number(size?.bytes) / 1024 / 1024,
    ].map((mb) => mb.toFixed(1));
  };
  const before = await measure();
  for (let i = 0; i < SESSIONS; i++) {
    const session = await open(largest);
    await post(ping, 0, session);
  }
  const after = await measure();
  console.log(`${SESSIONS} sessions of one key, each with ${largest} bytes of client data, each used once.`);
  console.log(
    table([
      ["MB", "heap of the isolate", "memory of workerd", "table"],
      ["before", ...before],
      ["after", ...after],
    ]),
  );
}

interface Tried {
  body: HostileBody;
  status: number;
  answer: string;
  cpuMs: number;
}

/** Every body, one half in a session and the other without. */
async function tryAll(post: Post): Promise<void> {
  const bodies = hostileBodies();
  const session = (await post(initialize(100), 1)).session ?? undefined;
  const pid = await servingProcess(async () => void (await post(wide, 1, session)));
  console.log("\nA refusal at each bound.");
  console.log(await refusals(pid, (body) => post(body, 1, session)));
  const tried: Tried[] = [];
  for (const [i, body] of bodies.entries()) {
    const text = body.text();
    // A session belongs to its key.
    const [turn, used] = (i + body.variant) % 2 === 0 ? [1, session] : [i, undefined];
    const before = cpuMsOf(pid);
    const answered = await post(text, turn, used);
    tried.push({ body, cpuMs: cpuMsOf(pid) - before, ...answered });
  }
  console.log(`\n${bodies.length} hostile bodies, one half in a session and the other without.`);
  const kinds = [...new Set(bodies.map(({ kind }) => kind))];
  console.log(
    table([
      ["kind", "bodies", "statuses", "CPU ms: median", "most", "which"],
      ...kinds.map((kind) =>
        lineOf(
          kind,
          tried.filter(({ body }) => body.kind === kind),
        ),
      ),
      lineOf("all", tried),
      lineOf("beyond a bound", tried.filter(isBeyondBound)),
    ]),
  );
  console.log("\nThe dearest.");
  const dearest = tried.toSorted((a, b) => b.cpuMs - a.cpuMs).slice(0, DEAREST);
  console.log(
    table([
      ["body", "bytes", "status", "CPU ms"],
      ...dearest.map(({ body, status, cpuMs }) => [
        nameOf(body),
        body.text().length,
        status,
        cpuMs.toFixed(1),
      ]),
    ]),
  );
  const bad = tried.filter(({ status }) => status === 0 || status >= 500);
  if (bad.length > 0) {
    const list = bad.map(({ body, status }) => `${nameOf(body)}: ${status}`);
    throw new Failure(`${bad.length} bodies were answered with 5xx:\n${list.slice(0, 20).join("\n")}`);
  }
  if ((await post(initialize(100), 2)).session === null)
    throw new Failure("The Worker opens no more sessions.");
}

// A call that is served, and costs more than to pass it on.
const wide = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "session_info", arguments: Array.from({ length: 20_000 }, () => []) },
});

/** Which of the processes serves: `wrangler dev` has another one before it. */
async function servingProcess(work: () => Promise<void>): Promise<string> {
  const costs = workerdProcesses().map(({ pid }) => ({ pid, before: cpuMsOf(pid) }));
  for (let i = 0; i < 5; i++) await work();
  const [dearest] = costs
    .map(({ pid, before }) => ({ pid, ms: cpuMsOf(pid) - before }))
    .toSorted((a, b) => b.ms - a.ms);
  if (dearest === undefined) throw new Failure("The CPU time of workerd is known on Linux only.");
  return dearest.pid;
}

const isBeyondBound = ({ status, answer }: Tried) =>
  status === 413 || (status === 400 && /at most|is too long/.test(answer));

const nameOf = ({ kind, variant, place }: HostileBody) => `${kind} ${variant} as ${place}`;

function lineOf(name: string, tried: Tried[]): (string | number)[] {
  const statuses = Map.groupBy(tried, ({ status }) => status);
  const counts = [...statuses]
    .toSorted(([a], [b]) => a - b)
    .map(([status, { length }]) => `${status}: ${length}`);
  const times = tried.map(({ cpuMs }) => cpuMs);
  const dearest = tried.reduce<Tried | undefined>(
    (most, one) => (most === undefined || one.cpuMs > most.cpuMs ? one : most),
    undefined,
  );
  return [
    name,
    tried.length,
    counts.join(", "),
    percentile(times, 0.5).toFixed(2),
    percentile(times, 1).toFixed(2),
    dearest === undefined ? "" : nameOf(dearest.body),
  ];
}
