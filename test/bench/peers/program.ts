// The programs of the comparison, each alone in its process. The Workers are bundled as a deploy bundles them, and run in workerd as it is.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { unstable_readConfig as readWranglerConfig } from "wrangler";
import { anyFreePort } from "../../../dev/ports.ts";
import type { Life } from "../../../dev/shutdown.ts";
import type { Binding } from "../../deploy/upload.ts";
import { type Runnable, startWorkerd } from "../../deploy/workerd.ts";
import { installPython } from "../../package/python.ts";

/** A server that is running. */
export interface Running {
  url: string;
  pid: string;
  stop(): Promise<void>;
}

export type Program<Server extends Running = Running> = () => Promise<Server>;

/** In workerd. */
export interface RunningInWorkerd extends Running {
  /** Sends a cron event. @throws Error when it fails. */
  cron(cron: string): Promise<void>;
}

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A folder that is gone when the bench is. */
export function folderOf(life: Life, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `mcp-sessions-peer-${name}-`));
  life.defer(`The folder of ${name}`, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function bundled(folder: string, config: object): Promise<Buffer> {
  const path = join(folder, "wrangler.json");
  writeFileSync(path, JSON.stringify(config));
  await run(
    process.execPath,
    [
      fileURLToPath(import.meta.resolve("wrangler")),
      "deploy",
      "--dry-run",
      "--config",
      path,
      "--outdir",
      join(folder, "dist"),
    ],
    { env: { ...process.env, DATABASE_URL: "", API_KEYS: "", WRANGLER_SEND_METRICS: "false" } },
  );
  return readFileSync(join(folder, "dist", "index.js"));
}

const { compatibility_date, compatibility_flags, alias } = readWranglerConfig(
  { config: "wrangler.toml" },
  { hideWarnings: true },
);
const aliases: [string, string][] = Object.entries(alias ?? {});

/** A Worker of TypeScript in this folder, with the configuration of the project. @returns what workerd needs but for bindings. */
export async function workerOf(life: Life, name: string): Promise<Runnable> {
  const script = await bundled(folderOf(life, name), {
    name,
    main: here(`${name}/index.ts`),
    compatibility_date,
    compatibility_flags,
    // The configuration is in another folder now.
    alias: Object.fromEntries(aliases.map(([from, to]) => [from, here(`../../../${to}`)])),
    minify: true,
    keep_names: false,
  });
  return {
    versionId: name,
    script,
    compatibilityDate: compatibility_date ?? "",
    compatibilityFlags: compatibility_flags,
    bindings: [],
  };
}

/** McpAgent, from the registry: nothing else of the project needs it. */
export async function agentOf(folder: string): Promise<Runnable> {
  cpSync(here("agent"), folder, { recursive: true });
  // It names a dozen peers that only other parts of it use.
  await run("npm", ["install", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
  });
  const flags = ["nodejs_compat"];
  const script = await bundled(folder, {
    name: "agent",
    main: "index.js",
    compatibility_date,
    compatibility_flags: flags,
    minify: true,
    durable_objects: { bindings: [{ name: "AGENT", class_name: "PeerAgent" }] },
    migrations: [{ tag: "v1", new_sqlite_classes: ["PeerAgent"] }],
  });
  return {
    versionId: "agent",
    script,
    compatibilityDate: compatibility_date ?? "",
    compatibilityFlags: flags,
    bindings: [{ name: "AGENT", type: "durable_object_namespace", text: "PeerAgent" }],
  };
}

/** @param variables become bindings. */
export function inWorkerd(
  life: Life,
  worker: Runnable,
  { neonPort = 9, variables = {} }: { neonPort?: number; variables?: Record<string, string> },
): Program<RunningInWorkerd> {
  const bindings: Binding[] = Object.entries(variables).map(([name, text]) => ({
    name,
    type: "plain_text",
    text,
  }));
  return async () => {
    const running = await startWorkerd({ ...worker, bindings: [...worker.bindings, ...bindings] }, neonPort);
    life.defer("workerd", () => running.stop());
    const cron = async (name: string) => {
      const { outcome } = await running.cron(name);
      if (outcome !== "ok") throw new Error(`The cron event ended as ${outcome}`);
    };
    return { ...running, pid: String(running.pid), cron };
  };
}

/** @returns why it cannot run, where Python or PyPI is missing. */
export async function pythonOf(
  life: Life,
  variables: Record<string, string>,
): Promise<Program | { reason: string }> {
  const folder = folderOf(life, "python");
  cpSync(here("python"), folder, { recursive: true });
  const reason = await installPython(folder);
  if (reason !== undefined) return { reason };
  return async () => {
    const port = await anyFreePort();
    const child = spawn(join(folder, ".venv", "bin", "python"), ["server.py"], {
      cwd: folder,
      env: { ...process.env, ...variables, PORT: String(port) },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const ended = once(child, "exit");
    const stop = async () => {
      child.kill("SIGKILL");
      await ended;
    };
    life.defer("Python", stop);
    const url = `http://127.0.0.1:${port}`;
    while (!(await fetch(`${url}/healthz`).catch(() => undefined))?.ok) {
      life.asked.throwIfAborted();
      if (child.exitCode !== null) throw new Error("The Python server has ended");
      await sleep(50);
    }
    return { url, pid: String(child.pid), stop };
  };
}

/** Bytes of all files in it whose names end so. */
export function bytesIn(folder: string, ending = ""): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .reduce(
      (sum, entry) =>
        sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
}
