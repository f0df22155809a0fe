// server.py beside the Worker, run by the Python of .venv.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

const PYTHON = ".venv/bin/python";

/** Why it cannot run here. */
export const whyNot = existsSync(PYTHON)
  ? undefined
  : `There is no ${PYTHON}: python3 -m venv .venv && .venv/bin/pip install -r requirements.txt`;

export interface RunningServer {
  /** Its MCP endpoint. */
  url: URL;
  stop(): Promise<void>;
}

/** @throws Error with what it has said when it does not start. */
export async function startServer(databaseUrl: string): Promise<RunningServer> {
  const child = spawn(PYTHON, ["server.py"], {
    env: { ...process.env, DATABASE_URL: databaseUrl, PORT: "0" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "close");
  const said: string[] = [];
  const origin = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
    ended.then(() => reject(new Error(`server.py has ended:\n${said.join("\n")}`)), reject);
  });
  return {
    url: new URL("/mcp", origin),
    async stop() {
      child.kill();
      await ended;
    },
  };
}
