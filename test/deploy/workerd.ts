// Runs an uploaded Worker in workerd as it is, without Miniflare: its bytes, its compatibility date and flags, each of its
// bindings. What Cloudflare has and workerd has not are three programs of a few lines: a KV namespace, a rate limit, and one
// that sends cron events.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Binding } from "./upload.ts";

/** What workerd needs of a version. */
export interface Runnable {
  /** What CF_VERSION_METADATA says. */
  versionId: string;
  script: Buffer;
  compatibilityDate: string;
  compatibilityFlags: readonly string[];
  bindings: readonly Binding[];
  /** The class of its Durable Objects, and the folder that keeps them. */
  objects?: { className: string; folder: string };
}

export interface RunningWorker {
  url: string;
  /** The Worker that calls it, if there is one. */
  caller: string | undefined;
  pid: number | undefined;
  /** The MCP endpoint. */
  mcp: URL;
  /** Sends a cron event; returns how it ended. */
  cron(cron: string, scheduledTime?: Date): Promise<{ outcome: string }>;
  /** What the Worker has logged so far, a line each. */
  lines: string[];
  stop(): Promise<void>;
}

const COMPATIBILITY_DATE = "2026-10-01";

const KV = `
const values = new Map();
export default {
  async fetch(request) {
    const key = new URL(request.url).pathname;
    if (request.method === "PUT") values.set(key, await request.text());
    if (request.method === "DELETE") values.delete(key);
    if (request.method !== "GET") return new Response();
    return values.has(key) ? new Response(values.get(key)) : new Response(null, { status: 404 });
  },
};`;

// Without the period: no test lasts so long that a limit would begin again.
const RATE_LIMIT = `
export default ({ limit }) => {
  const counts = new Map();
  return {
    async limit({ key }) {
      counts.set(key, (counts.get(key) ?? 0) + 1);
      return { success: counts.get(key) <= limit };
    },
  };
};`;

const CRONS = `
export default {
  async fetch(request, { MAIN }) {
    const { cron, scheduledTime } = await request.json();
    const { outcome } = await MAIN.scheduled({ cron, scheduledTime: new Date(scheduledTime) });
    return Response.json({ outcome });
  },
};`;

// A text of Cap'n Proto has the escapes of C, which those of JSON are when all is ASCII.
const quoted = (text: string) => JSON.stringify(text);

/** Another Worker of the account. */
export interface CallingWorker {
  /** An ES module. */
  script: string;
  /** Its bindings to the entrypoint `Sessions`, each with the props that its owner has given it. */
  bindings: Record<string, object | undefined>;
}

const callerOf = ({ script, bindings }: CallingWorker) => `
    (name = "caller", worker = (
      modules = [(name = "caller", esModule = ${quoted(script)})],
      compatibilityDate = "${COMPATIBILITY_DATE}",
      bindings = [${Object.entries(bindings)
        .map(([name, props]) => {
          const said = props === undefined ? "" : `, props = (json = ${quoted(JSON.stringify(props))})`;
          return `(name = "${name}", service = (name = "main", entrypoint = "Sessions"${said}))`;
        })
        .join(",\n        ")}],
    )),`;

/** @throws Error for a binding that is none of ours. */
function bindingOf(binding: Binding, versionId: string): string {
  const { name, type, text = "" } = binding;
  const value = {
    plain_text: () => `text = ${quoted(text)}`,
    secret_text: () => `text = ${quoted(text)}`,
    kv_namespace: () => `kvNamespace = "kv"`,
    durable_object_namespace: () => `durableObjectNamespace = ${quoted(text)}`,
    version_metadata: () =>
      `json = ${quoted(JSON.stringify({ id: versionId, tag: "", timestamp: "2026-11-25T00:00:00Z" }))}`,
    ratelimit: () => {
      const { limit } = binding["simple"] as { limit: number };
      return `wrapped = (moduleName = "stand-in:rate-limit", innerBindings = [(name = "limit", json = "${limit}")])`;
    },
  }[type];
  if (value === undefined) throw new Error(`workerd.ts does not know the binding ${name}, a ${type}`);
  return `(name = ${quoted(name)}, ${value()})`;
}

const objectsOf = ({ className }: NonNullable<Runnable["objects"]>) => `
      durableObjectNamespaces = [(className = ${quoted(className)}, uniqueKey = ${quoted(className)}, enableSql = true)],
      durableObjectStorage = (localDisk = "objects"),`;

const configOf = (
  { versionId, compatibilityDate, compatibilityFlags, bindings, objects }: Runnable,
  neonPort: number,
  caller?: CallingWorker,
) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "index.js", esModule = embed "index.js")],
      compatibilityDate = ${quoted(compatibilityDate)},
      compatibilityFlags = [${compatibilityFlags.map(quoted).join(", ")}],
      bindings = [${bindings.map((binding) => bindingOf(binding, versionId)).join(",\n        ")}],
      globalOutbound = "neon",
      ${objects === undefined ? "" : objectsOf(objects)}
    )),
    ${objects === undefined ? "" : `(name = "objects", disk = (path = ${quoted(objects.folder)}, writable = true)),`}
    (name = "crons", worker = (
      modules = [(name = "crons", esModule = ${quoted(CRONS)})],
      compatibilityDate = "${COMPATIBILITY_DATE}",
      compatibilityFlags = ["service_binding_extra_handlers"],
      bindings = [(name = "MAIN", service = "main")],
    )),
${caller === undefined ? "" : callerOf(caller)}
    (name = "kv", worker = (modules = [(name = "kv", esModule = ${quoted(KV)})], compatibilityDate = "${COMPATIBILITY_DATE}")),
    # Wherever the Worker sends a request, it comes to the local Neon.
    (name = "neon", external = (address = "127.0.0.1:${neonPort}", http = ())),
  ],
  extensions = [(modules = [
    (name = "stand-in:rate-limit", internal = true, esModule = ${quoted(RATE_LIMIT)}),
    # cloudflare:email, which some packages import, is made of it.
    (name = "cloudflare-internal:email", internal = true, esModule = "export default { EmailMessage: class {} };"),
  ])],
  sockets = [
    (name = "main", address = "127.0.0.1:0", http = (), service = "main"),
    (name = "crons", address = "127.0.0.1:0", http = (), service = "crons"),
    ${caller === undefined ? "" : `(name = "caller", address = "127.0.0.1:0", http = (), service = "caller"),`}
  ],
);`;

/** @throws Error with what workerd has said when it does not start. */
export async function startWorkerd(
  runnable: Runnable,
  neonPort: number,
  caller?: CallingWorker,
): Promise<RunningWorker> {
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-workerd-"));
  // There are secrets in it.
  writeFileSync(join(folder, "config.capnp"), configOf(runnable, neonPort, caller), { mode: 0o600 });
  writeFileSync(join(folder, "index.js"), runnable.script);
  const child = spawn(
    fileURLToPath(new URL("../../node_modules/workerd/bin/workerd", import.meta.url)),
    // Cron events from another Worker are experimental.
    ["serve", "--experimental", "--control-fd=3", "config.capnp"],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe", "pipe"] },
  );
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream as Readable }).on("line", (line) => lines.push(line));
  }
  const stop = async () => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const ports = await portsOf(child, ["main", "crons", ...(caller === undefined ? [] : ["caller"])]);
    const url = `http://127.0.0.1:${ports.get("main")}`;
    return {
      url,
      caller: caller && `http://127.0.0.1:${ports.get("caller")}`,
      pid: child.pid,
      mcp: new URL("/mcp", url),
      lines,
      stop,
      async cron(cron, scheduledTime = new Date()) {
        const body = JSON.stringify({ cron, scheduledTime });
        const response = await fetch(`http://127.0.0.1:${ports.get("crons")}`, { method: "POST", body });
        return (await response.json()) as { outcome: string };
      },
    };
  } catch (error) {
    await stop();
    throw new Error([String(error), ...lines].join("\n"), { cause: error });
  }
}

/** The ports that workerd has taken for its sockets. It says each when it listens. */
async function portsOf(child: ChildProcess, sockets: readonly string[]): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    const { event, socket, port } = JSON.parse(line) as { event: string; socket: string; port: number };
    if (event === "listen") ports.set(socket, port);
    if (sockets.every((name) => ports.has(name))) return ports;
  }
  throw new Error("workerd ended before it listened");
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
