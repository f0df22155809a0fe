// A gradual deployment: the version before and today's in one deployment, as wrangler has uploaded them, both over one database.
// Each request of a client reaches the other version than the request before it.
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { call, type Connect, connectV1, connectV2, send, toolMessage } from "../e2e/connections.ts";
import type { Script, Version } from "./api.ts";
import { type Cloudflare, startCloudflare } from "./cloudflare.ts";
import { type Database, type DeployDatabase, startDatabase } from "./database.ts";
import { keys, NAME, runnable, secretsFile } from "./deployed.ts";
import { FORMER_SQL, formerWorker } from "./former.ts";
import { createProject, type Project } from "./project.ts";
import { type RunningWorker, startWorkerd } from "./workerd.ts";

let cloudflare: Cloudflare;
let databases: DeployDatabase;
let database: Database;
let project: Project;
const running = new Map<string, RunningWorker>();
beforeAll(async () => {
  databases = await startDatabase();
  database = await databases.create();
  await database.migrate(FORMER_SQL);
  cloudflare = await startCloudflare();
  project = createProject(cloudflare, { hasTestServer: true });
  project.write(".dev.vars.production", secretsFile(database.url));
  // A folder of its own: without a bundle, wrangler takes every module beside it.
  await sh("mkdir former");
  project.write("former/index.js", String(formerWorker(database.url).script));
  await sh(
    "npx wrangler deploy former/index.js --no-bundle --no-upload-source-maps --secrets-file .dev.vars.production",
  );
  await database.migrate();
  await sh("npx wrangler versions upload");
});
afterAll(async () => {
  for (const worker of running.values()) await worker.stop();
  project?.remove();
  await cloudflare?.close();
  await databases?.stop();
});
afterEach(() => expect(cloudflare.unknown, "Requests that the stand-in does not know").toEqual([]));

async function sh(line: string): Promise<void> {
  const { code, output } = await project.sh(line);
  if (code !== 0) throw new Error(`${line}\n${output}`);
}
const script = (): Script => cloudflare.scripts.get(NAME) as Script;
const versions = () => script().versions as [former: Version, current: Version];

/** What answers by the last deployment: its versions take turns, whatever their percentages are. */
async function traffic(): Promise<{ workers: RunningWorker[]; mcp: () => URL }> {
  const ids = Object.entries(script().deployments.at(-1) ?? {}).filter(([, percentage]) => percentage > 0);
  const workers: RunningWorker[] = [];
  for (const [id] of ids) {
    const version = script().versions.find((one) => one.id === id) as Version;
    const worker = running.get(id) ?? (await startWorkerd(runnable(version), databases.neon.port));
    running.set(id, worker);
    workers.push(worker);
  }
  let requests = 0;
  return {
    workers,
    mcp() {
      const next = workers.at(requests++ % workers.length);
      if (next === undefined) throw new Error("No version is deployed");
      return next.mcp;
    },
  };
}

test("an uploaded version gets no request, and brings no secret and no cron of its own", () => {
  const [former, current] = versions();
  expect(script().deployments).toEqual([{ [former.id]: 100 }]);
  expect(runnable(current).script.equals(runnable(former).script)).toBe(false);
  const sent = current.upload.metadata.bindings.filter(({ type }) => type === "inherit");
  expect(sent.map(({ name }) => name).toSorted()).toEqual(["API_KEYS", "CLEANUP_SLEEP", "DATABASE_URL"]);
  const valuesOf = ({ bindings }: Version) =>
    bindings.flatMap(({ name, type, ...value }) => (type === "secret_text" ? [{ name, ...value }] : []));
  expect(valuesOf(current)).toEqual(valuesOf(former));
  expect(cloudflare.asked.filter((line) => line.endsWith("/schedules"))).toHaveLength(1);
});

test("each of both versions serves sessions that the other has opened, changed and ended", async () => {
  const [former, current] = versions();
  await sh(`npx wrangler versions deploy ${current.id}@10% ${former.id}@90%`);
  expect(script().deployments.at(-1)).toEqual({ [current.id]: 10, [former.id]: 90 });
  const { workers, mcp } = await traffic();
  expect(workers).toHaveLength(2);

  const clients: Connect[] = [connectV1, connectV2(), connectV1];
  for (const [index, connect] of clients.entries()) {
    const connection = await connect({ mcp, key: keys.alice });
    const answered = () => new Set(connection.exchanges.map(({ request }) => new URL(request.url).port));
    await connection.client.setLoggingLevel("warning");
    await call(connection, "session_state_set", { key: "cart", value: [index] });
    for (let i = 0; i < 2; i++) {
      expect(await call(connection, "session_state_get", { key: "cart" })).toMatchObject({ value: [index] });
    }
    // At the same time, half of them on each: none is lost.
    await Promise.all(
      Array.from({ length: 10 }, () => call(connection, "session_state_increment", { key: "n" })),
    );
    expect(await call(connection, "session_state_get", { key: "n" })).toMatchObject({ value: 10 });
    expect(answered().size).toBe(2);
    const session = connection.sessionId() ?? "";
    const used = () =>
      Promise.all(
        workers.map(async (worker) => {
          const message = toolMessage("session_info");
          return (await send({ mcp: worker.mcp, key: keys.alice, session, message })).status;
        }),
      );
    expect(await used()).toEqual([200, 200]);
    await connection.terminate();
    await connection.client.close();
    expect(await used()).toEqual([404, 404]);
  }
});

test("a client without a session is served by both", async () => {
  const { mcp } = await traffic();
  const connection = await connectV2({ pin: "2026-07-28" })({ mcp, key: keys.alice });
  for (let i = 0; i < 2; i++) {
    expect(await call(connection, "session_info")).toEqual({ session: null, principal: "alice" });
  }
  expect(new Set(connection.exchanges.map(({ request }) => new URL(request.url).port)).size).toBe(2);
  await connection.client.close();
});

test("both count the same sessions, and either cleans up", async () => {
  const { workers } = await traffic();
  for (const [index, worker] of workers.entries()) {
    await database.ask(
      `INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES
         ('dead ${index}', 'bob', now() - interval '1 second'), ('live ${index}', 'bob', now() + interval '1 day')`,
    );
    const [one, other] = await Promise.all(workers.map(countsOf));
    expect(one).toMatchObject({ status: "healthy", active_sessions: index + 1 });
    expect({ ...one, timestamp: "" }).toEqual({ ...other, timestamp: "" });
    expect(await worker.cron("0 * * * *")).toEqual({ outcome: "ok" });
    expect(await database.ask(`SELECT FROM mcp_sessions WHERE session_id = 'dead ${index}'`)).toEqual([]);
  }
  expect(await database.ask("SELECT FROM mcp_sessions WHERE session_id LIKE 'live %'")).toHaveLength(2);
});

async function countsOf({ url }: RunningWorker): Promise<object> {
  const headers = { Authorization: `Bearer ${keys.monitor}` };
  const health = await fetch(`${url}/session-health?write=1`, { headers });
  expect(health.status).toBe(200);
  return (await health.json()) as object;
}

test("a session goes on through a rollback of a split, and forward again to all requests", async () => {
  const [former, current] = versions();
  let { workers, mcp } = await traffic();
  const connection = await connectV1({ mcp: () => mcp(), key: keys.alice });
  let count = 0;
  const expectCounted = async () => {
    for (const _ of [1, 2]) await call(connection, "session_state_increment", { key: "n" });
    count += 2;
    expect(await call(connection, "session_state_get", { key: "n" })).toMatchObject({ value: count });
  };
  await expectCounted();
  for (const [line, id] of [
    ["npx wrangler rollback", former.id],
    [`npx wrangler versions deploy ${current.id}@100%`, current.id],
  ] as const) {
    await sh(line);
    expect(script().deployments.at(-1)).toEqual({ [id]: 100 });
    ({ workers, mcp } = await traffic());
    expect(workers).toEqual([running.get(id)]);
    await expectCounted();
  }
  await connection.terminate();
  await connection.client.close();
});
