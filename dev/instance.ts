// One `npm run dev` per folder. A socket in .dev is the lock and the way to ask the running one where things are;
// a socket whose owner has died refuses connections and is replaced.
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "./failure.ts";

/** Where the parts of a running `npm run dev` are; absent until it is ready. */
export interface Places {
  workerUrl: string;
  /** For TCP clients. */
  databaseUrl: string;
  /** Absent with a remote database. */
  neonEndpoint?: string;
}

export interface Running extends Partial<Places> {
  id: string;
  pid: number;
}

export interface Instance {
  /** Answers other processes that ask from now on. */
  publish: (places: Places) => void;
  release: () => Promise<void>;
}

// Answering takes no work, so a process that has not answered by then is stopped or stuck.
const ANSWER_TIMEOUT_MS = 2_000;
// Longer than another process needs from finding a dead socket to replacing it.
const TAKEOVER_PAUSE_MS = 100;

/** Relative to the working directory, because the path of a socket may be no longer than about 100 bytes. */
export function socketPath(): string {
  if (process.platform !== "win32") return ".dev/dev.sock";
  return `\\\\.\\pipe\\mcp-sessions-dev-${createHash("sha256").update(resolve(".")).digest("hex").slice(0, 16)}`;
}

/** @throws Failure when another one runs */
export async function claimInstance(path = socketPath()): Promise<Instance> {
  const running: Running = { id: randomUUID(), pid: process.pid };
  if (process.platform !== "win32") mkdirSync(dirname(path), { recursive: true });
  let server = await listen(path, running);
  if (server === undefined) {
    await refuseWhenRunning(path);
    rmSync(path, { force: true });
    server = await listen(path, running);
    // Two that find the same dead socket may both replace it; the later one keeps it.
    await sleep(TAKEOVER_PAUSE_MS);
    const holder = await findInstance(path);
    if (server === undefined || holder?.id !== running.id) {
      // Not closed: that would remove the other one's socket, which has the same name.
      server?.unref();
      throw alreadyRunning(holder);
    }
  }
  const held = server;
  return {
    publish: (places) => void Object.assign(running, places),
    release: () => new Promise((done) => held.close(() => done())),
  };
}

/** The running one, as it describes itself; undefined when there is none. */
export async function findInstance(path = socketPath()): Promise<Running | undefined> {
  const answer = await ask(path);
  if (answer === undefined) return undefined;
  try {
    const running: Running = JSON.parse(answer);
    return running;
  } catch {
    // It is there but does not speak: stopped in a debugger, or a foreign program.
    return { id: "", pid: 0 };
  }
}

async function refuseWhenRunning(path: string): Promise<void> {
  const running = await findInstance(path);
  if (running !== undefined) throw alreadyRunning(running);
}

function alreadyRunning(running: Running | undefined): Failure {
  const where = running?.workerUrl ? `at ${running.workerUrl}` : "and is not ready yet";
  const who = running?.pid ? ` (process ${running.pid})` : "";
  return new Failure(`npm run dev is already running in this folder ${where}${who}.`);
}

/** Undefined when something is at `path` already. */
async function listen(path: string, running: Running): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(JSON.stringify(running));
  });
  const { promise, resolve: settle, reject } = Promise.withResolvers<Server | undefined>();
  server.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE") settle(undefined);
    else reject(new Failure(`Cannot make the socket ${path}: ${error.message}`));
  });
  server.once("listening", () => settle(server));
  // The answer holds the password of the database: the socket is its owner's only.
  const umask = process.umask(0o077);
  server.listen(path);
  process.umask(umask);
  return promise;
}

/** What the owner of the socket says; "" when it says nothing, undefined when it has no owner. */
async function ask(path: string): Promise<string | undefined> {
  const { promise, resolve: settle, reject } = Promise.withResolvers<string | undefined>();
  const socket = connect(path).setEncoding("utf8").setTimeout(ANSWER_TIMEOUT_MS);
  let answer = "";
  socket.on("data", (text: string) => (answer += text));
  socket.on("end", () => settle(answer));
  socket.on("timeout", () => {
    socket.destroy();
    settle("");
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    if (["ENOENT", "ECONNREFUSED", "ENOTSOCK"].includes(error.code ?? "")) settle(undefined);
    else if (["ECONNRESET", "EPIPE", "EAGAIN"].includes(error.code ?? "")) settle("");
    else reject(new Failure(`Cannot ask ${path} whether npm run dev is running: ${error.message}`));
  });
  return promise;
}
