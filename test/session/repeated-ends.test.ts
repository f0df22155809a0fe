// An end says what it has done, also when it is sent again, and nothing of what others have done.
import { expect, test } from "vitest";
import { heldOpen, waiting } from "../support/locks.ts";
import { addIdle, storesOf, type Stores } from "../support/stores.ts";
import { createDatabase, setFaults } from "../support/worker.ts";

test.each([
  ["by its client", "client", ({ sessions }: Stores) => sessions.end("a", "alice"), true],
  [
    "by an operator",
    "operator",
    async ({ admin }: Stores) => admin.end(await handleOf(admin, "alice")),
    { session: null, principal: "alice" },
  ],
  ["in bulk by its client", "client", ({ sessions }: Stores) => sessions.endOthers("alice", "none"), 2],
  [
    "in bulk by an operator",
    "operator",
    ({ admin }: Stores) => admin.endAll("alice"),
    { ended: 2, hasMore: false },
  ],
] as const)(
  "an end %s whose first attempt is still at work has its answer",
  async (_, reason, end, answer) => {
    const database = await createDatabase();
    const stores = storesOf(database);
    await addIdle(database, "a", "b");
    const first = await heldOpen(
      database,
      `UPDATE mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = '${reason}' RETURNING 1`,
    );
    await setFaults({ fault: { kind: "reset" }, times: 1, matching: "ended_count" });
    const repeated = end(stores);
    await waiting(database, 1);
    await first.release();
    expect(await repeated).toEqual(answer);
  },
);

async function handleOf(admin: Stores["admin"], principal: string): Promise<string> {
  const { sessions } = await admin.list({ principal, limit: 1 });
  return sessions[0]?.handle ?? "";
}

const endOf = (reason: string, where = "true") =>
  `UPDATE mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = '${reason}' WHERE ${where} RETURNING 1`;

test("an end that is sent again does not count what was ended for another reason", async () => {
  const database = await createDatabase();
  const { admin, sessions } = storesOf(database);
  await addIdle(database, "a");
  const [listed] = (await admin.list({ principal: "alice", limit: 1 })).sessions;
  const again = () => setFaults({ fault: { kind: "reset" }, times: 1, matching: "ended_count" });
  await database.query(endOf("operator"));
  await again();
  expect(await sessions.end("a", "alice")).toBe(false);
  await again();
  expect(await sessions.endOthers("alice", undefined)).toBe(0);
  await database.query(endOf("client"));
  await again();
  expect(await admin.end(listed?.handle ?? "")).toBeUndefined();
  await again();
  expect(await admin.endAll("alice")).toEqual({ ended: 0, hasMore: false });
});

test.each([
  ["a client's bulk end", ({ sessions }: Stores) => sessions.endOthers("alice", undefined), 1],
  ["an operator's bulk end", ({ admin }: Stores) => admin.endAll("alice"), { ended: 1, hasMore: false }],
] as const)("%s does not count what others end meanwhile", async (_, end, answer) => {
  const database = await createDatabase();
  const stores = storesOf(database);
  await addIdle(database, "a", "b");
  const theirs = await heldOpen(database, endOf("client", "session_id = 'a'"));
  const ours = end(stores);
  await theirs.waitedFor();
  await theirs.release();
  expect(await ours).toEqual(answer);
});
