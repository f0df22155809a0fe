// The circuit of an isolate: who still asks a database that has failed often, and who does not.
import { afterEach, expect, test, vi } from "vitest";
import { logged } from "../support/captured-logs.ts";
import { initializeParams, mcp } from "../support/mcp.ts";
import {
  addSessions,
  bearer,
  createDatabase,
  databaseRequests,
  fire,
  keys,
  REGULAR_CRON,
  remaining,
  send,
  setFaults,
} from "../support/worker.ts";

afterEach(() => setFaults());

test("while the circuit is open clients are refused without asking, and the cleanup and the health check ask", async () => {
  vi.spyOn(Math, "random").mockReturnValue(0);
  const database = await createDatabase();
  const env = database.env();
  await addSessions(database, { old: "2000-01-01" });
  const open = () => mcp(env, { method: "initialize", params: initializeParams });
  await setFaults({ fault: { kind: "reset" } });
  for (let i = 0; i < 20 && logged("Database circuit opened").length === 0; i++) await open();
  expect(logged("Database circuit opened")).toHaveLength(1);
  const before = await databaseRequests();
  expect((await open()).status).toBe(503);
  expect(await databaseRequests()).toBe(before);
  await setFaults();
  await fire(env, REGULAR_CRON);
  expect(await remaining(database)).toEqual([]);
  expect((await send(env, "/session-health", bearer(keys.health))).status).toBe(200);
});
