// The Worker under wrangler, over the table of server.py in the database of .dev.vars.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import pg from "pg";
import { unstable_startWorker as startWorker } from "wrangler";

const vars = readFileSync(".dev.vars", "utf8");
const variable = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(vars)?.[1] ?? "";
// A name that ends in .localhost is this machine.
const connectionString = variable("DATABASE_URL").replace(/@[\w.-]+\.localhost/, "@127.0.0.1");

const database = new pg.Client({ connectionString });
await database.connect();
const worker = await startWorker({ config: "wrangler.toml", dev: { server: { port: 0 }, logLevel: "warn" } });
after(async () => {
  await worker.dispose();
  await database.end();
});

const key = variable("API_KEYS").split(":").at(-1);
const ask = async (path: string) =>
  fetch(new URL(path, await worker.url), { headers: { Authorization: `Bearer ${key}` } });

test("health and metrics count the sessions of the other server, and a cron event deletes the expired ones", async () => {
  await database.query("TRUNCATE mcp_sessions");
  await database.query(
    `INSERT INTO mcp_sessions (session_id, expires_at)
     VALUES ('live', now() + interval '1 hour'), ('one', now() - interval '1 hour'), ('two', now() - interval '2 hours')`,
  );
  const health = await ask("/session-health");
  assert.equal(health.status, 200);
  const counts = (await health.json()) as Record<string, unknown>;
  assert.deepEqual(
    [counts["total_sessions"], counts["active_sessions"], counts["expired_sessions"]],
    [3, 1, 2],
  );
  assert.match(await (await ask("/metrics")).text(), /^mcp_session_store_up 1$/m);

  const event = await ask("/cdn-cgi/local/scheduled?cron=0+*+*+*+*&format=json");
  assert.match(await event.text(), /"outcome":\s*"ok"/);
  const { rows } = await database.query("SELECT session_id FROM mcp_sessions");
  assert.deepEqual(rows, [{ session_id: "live" }]);
  assert.match(await (await ask("/metrics")).text(), /^mcp_sessions_deleted_total\{.*\} 2$/m);
});

test("nobody gets in without a key, and there are no other routes", async () => {
  assert.equal((await fetch(new URL("/session-health", await worker.url))).status, 401);
  assert.equal((await ask("/mcp")).status, 404);
});
