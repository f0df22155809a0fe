// npm run dev -- --sign-in, as a developer runs it, in a copy of this folder: both Workers, bound to each other.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, portProblem } from "../../dev/ports.ts";

const COPIED = [
  "dev",
  "drizzle",
  "examples",
  "src",
  "package.json",
  "tsconfig.json",
  "wrangler.toml",
  ".dev.vars.example",
];

let folder: string;
let child: ChildProcess;
let output = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dev-sign-in-"));
  for (const file of COPIED) cpSync(file, join(folder, file), { recursive: true });
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  const port = await freePort(8850);
  child = spawn(process.execPath, ["dev/main.ts", "--sign-in", "--port", String(port)], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { promise, resolve: ready } = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.includes("Ctrl-C stops everything")) ready();
    });
  }
  child.on("close", () => ready());
  await promise;
});
afterAll(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  rmSync(folder, { recursive: true });
});

test("both Workers run, know each other, and stop together", async () => {
  const [, worker = ""] = /^ {2}Worker +(\S+)$/m.exec(output) ?? [];
  const [, signIn = ""] = /^ {2}Sign-in +(\S+)$/m.exec(output) ?? [];
  expect(worker, output).toMatch(/^http/);
  const resource = await fetch(`${worker}/.well-known/oauth-protected-resource/mcp`);
  expect(await resource.json()).toMatchObject({ resource: `${worker}/mcp`, authorization_servers: [signIn] });
  const metadata = await fetch(`${signIn}/.well-known/oauth-authorization-server`);
  expect(await metadata.json()).toMatchObject({
    issuer: signIn,
    protected_resources: [`${worker}/mcp`, `${worker.replace("127.0.0.1", "localhost")}/mcp`],
  });
  // Not 503: the sign-in says that this is no token of its own.
  const refused = await fetch(`${worker}/mcp`, {
    method: "POST",
    headers: { Authorization: "Bearer somebody:elses:token" },
  });
  expect(refused.status).toBe(401);

  child.kill("SIGTERM");
  await once(child, "exit");
  expect(child.exitCode).toBe(0);
  for (const url of [worker, signIn]) expect(await portProblem(Number(new URL(url).port))).toBeUndefined();
});
