// One dev loop per folder: the socket that is its lock.
import { existsSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { claimInstance, findInstance, type Instance } from "../../dev/instance.ts";

const PLACES = {
  workerUrl: "http://127.0.0.1:8787",
  databaseUrl: "postgresql://mcp:secret@127.0.0.1:5487/mcp",
  neonEndpoint: "http://127.0.0.1:5488/sql",
};

let folder: string;
let path: string;
let held: Instance[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dev-"));
  path = join(folder, "dev.sock");
  held = [];
});
afterEach(async () => {
  await Promise.all(held.map(({ release }) => release()));
  rmSync(folder, { recursive: true });
});

async function claim(): Promise<Instance> {
  const instance = await claimInstance(path);
  held.push(instance);
  return instance;
}

const listen = (server: Server, at: string) => new Promise<void>((done) => server.listen(at, done));
const close = (server: Server) => new Promise((done) => server.close(done));

/** What a killed process leaves: the file of a socket that nobody listens on. */
async function leaveDeadSocket(): Promise<void> {
  const server = createServer();
  await listen(server, join(folder, "killed.sock"));
  renameSync(join(folder, "killed.sock"), path);
  await close(server);
}

describe("the first one", () => {
  test("tells who asks where things are, once it knows", async () => {
    const { publish } = await claim();
    expect(await findInstance(path)).toEqual({ id: expect.any(String), pid: process.pid });
    publish(PLACES);
    expect(await findInstance(path)).toEqual({ id: expect.any(String), pid: process.pid, ...PLACES });
  });

  test("tells its owner only", async () => {
    await claim();
    expect(statSync(path).mode & 0o077).toBe(0);
  });

  test("leaves nothing behind", async () => {
    const { release } = await claimInstance(path);
    await release();
    expect(existsSync(path)).toBe(false);
    expect(await findInstance(path)).toBeUndefined();
  });
});

describe("a second one", () => {
  test("is refused with the address of the first", async () => {
    const { publish } = await claim();
    await expect(claimInstance(path)).rejects.toThrow(
      `npm run dev is already running in this folder and is not ready yet (process ${process.pid}).`,
    );
    publish(PLACES);
    await expect(claimInstance(path)).rejects.toThrow(
      `npm run dev is already running in this folder at http://127.0.0.1:8787 (process ${process.pid}).`,
    );
    expect(await findInstance(path)).toMatchObject(PLACES);
  });

  test("is refused while the first is stopped in a debugger", async () => {
    const silent = createServer(() => {});
    await listen(silent, path);
    await expect(claimInstance(path)).rejects.toThrow("is already running in this folder");
    silent.close();
  });

  test("takes over from one that was killed", async () => {
    await leaveDeadSocket();
    expect(await findInstance(path)).toBeUndefined();
    const { publish } = await claim();
    publish(PLACES);
    expect(await findInstance(path)).toMatchObject(PLACES);
  });

  test("and a third at the same moment take over from one that was killed: one of them", async () => {
    await leaveDeadSocket();
    const claims = await Promise.allSettled([claim(), claim()]);
    expect(claims.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    held[0]?.publish(PLACES);
    expect(await findInstance(path)).toMatchObject(PLACES);
  });
});
