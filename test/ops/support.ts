// Prometheus and its tools as Debian has them, over the files in ops/.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Runs a tool. @throws Error with what it said when it fails, and when it is not installed. */
export async function run(tool: string, args: string[], input?: string): Promise<string> {
  const running = promisify(execFile)(tool, args);
  running.child.stdin?.end(input ?? "");
  try {
    const { stdout, stderr } = await running;
    return stdout + stderr;
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code: unknown; stdout?: string; stderr?: string };
    const why =
      code === "ENOENT"
        ? "is not installed: apt-get install prometheus prometheus-blackbox-exporter"
        : "failed";
    throw new Error(`${tool} ${args.join(" ")} ${why}\n${stdout}${stderr}`, { cause: error });
  }
}

/** A copy of ops/, and what is in it changed; `remove` deletes it. */
export function copyOfOps(changes: Record<string, (text: string) => string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-ops-"));
  cpSync("ops", folder, { recursive: true });
  for (const [file, change] of Object.entries(changes)) {
    const path = join(folder, file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Starts a server of Debian's in a folder, and resolves to what ends it. */
export function launch(tool: string, args: string[], folder: string): () => Promise<void> {
  const child: ChildProcess = spawn(tool, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4000)));
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      said += String(error);
      resolve();
    });
  });
  return async () => {
    const isAlive = child.exitCode === null && child.pid !== undefined;
    child.kill("SIGKILL");
    await ended;
    if (!isAlive) throw new Error(`${tool} had ended: ${said}`);
  };
}

// Less than the time limit of a test, so that the failure says what was seen last.
const PATIENCE_MS = 300_000;

/** Asks until it is so. @throws Error with the last answer after `timeoutMs`. */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  isSo: (answer: T) => boolean,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const answer = await ask();
      if (isSo(answer)) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(
    `${what}: not within ${timeoutMs} ms; last: ${last instanceof Error ? String(last) : JSON.stringify(last)}`,
  );
}

export interface Series {
  metric: Record<string, string>;
  value: [number, string];
}

/** What a query gives now. */
export async function query(prometheus: string, expression: string): Promise<Series[]> {
  const response = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const answer = (await response.json()) as { status: string; error?: string; data: { result: Series[] } };
  if (answer.status !== "success") throw new Error(`${expression}: ${answer.error}`);
  return answer.data.result;
}
