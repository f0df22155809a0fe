// The client programs of docs/clients.md, run as their readers run them.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSystem, type System, type TestWorker } from "./support.ts";

const run = promisify(execFile);

let system: System;
let worker: TestWorker;
beforeAll(async () => {
  system = await startSystem();
  worker = await system.startWorker();
});
afterAll(() => system.stop());

test.each(["clients/typescript-v1.ts", "clients/typescript-v2.ts"])(
  "examples/%s lists the tools of a session, and ends it",
  async (program) => {
    await system.ask("TRUNCATE mcp_sessions");
    const { stdout } = await run(process.execPath, [`examples/${program}`], {
      env: { ...process.env, MCP_URL: worker.mcp.href, MCP_KEY: system.keys.alice },
    });
    expect(stdout).toContain("session_state_get");
    expect(await system.ask("SELECT end_reason FROM mcp_sessions")).toEqual([{ end_reason: "client" }]);
  },
);
