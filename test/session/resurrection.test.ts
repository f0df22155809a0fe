// Whatever is interleaved, a session that has ended or expired never comes back, and one that is live is never lost.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { runCleanupOnce } from "../../src/cleanup/clean.ts";
import { at, storeOf } from "../support/cleanup.ts";
import { heldOpen } from "../support/locks.ts";
import { sessionsOf } from "../support/mcp.ts";
import { createDatabase } from "../support/worker.ts";

// Every use is a write, so that every use could revive.
const ALWAYS_TOUCHED = { touchIntervalSeconds: 0 };

const PRINCIPALS = ["alice", "bob"];

// The steps of a round run at once. `of` picks one of the sessions that were opened before the round.
const kinds = ["open", "use", "use", "use", "end", "end others", "expire", "clean"] as const;
const step = fc.record({
  does: fc.constantFrom(...kinds),
  of: fc.nat({ max: 20 }),
  principal: fc.constantFrom(...PRINCIPALS),
});
const histories = fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 10 });

test("over random interleavings of open, use, end, expire and clean", async () => {
  const database = await createDatabase();
  const sessions = sessionsOf(database, ALWAYS_TOUCHED);
  const cleanups = storeOf(database, { batchSize: 1 });
  const seen = { used: 0, refused: 0, died: 0 };
  let opened = 0;

  await fc.assert(
    fc.asyncProperty(histories, async (rounds) => {
      await database.query("DELETE FROM mcp_sessions");
      const owners = new Map<string, string>();
      const dead = new Set<string>();
      for (const round of rounds) {
        const known = [...owners.keys()];
        const dying = new Set<string>();
        const wrong: string[] = [];
        const uses = round.map(async ({ does, of, principal }) => {
          if (does === "open") {
            const key = String(++opened);
            await sessions.open({ key, principal, protocolVersion: "x", clientInfo: {}, capabilities: {} });
            owners.set(key, principal);
            return;
          }
          const key = known[of % known.length];
          if (does === "clean") {
            await runCleanupOnce(cleanups, at(new Date(), 1000));
            return;
          }
          if (key === undefined) return;
          const isOwn = owners.get(key) === principal;
          if (does === "use") {
            const wasDead = dead.has(key);
            const found = await sessions.resume(key, principal);
            if (found === undefined) seen.refused += 1;
            else seen.used += 1;
            if (found !== undefined && (wasDead || !isOwn)) wrong.push(`${key} was used by ${principal}`);
          } else if (does === "end") {
            const isEnded = await sessions.end(key, principal);
            if (isEnded && (dead.has(key) || !isOwn)) wrong.push(`${key} was ended by ${principal}`);
            if (isOwn) dying.add(key);
          } else if (does === "end others") {
            await sessions.endOthers(principal, key);
            for (const other of known) if (other !== key && owners.get(other) === principal) dying.add(other);
          } else {
            await database.query(
              "UPDATE mcp_sessions SET expires_at = least(expires_at, now()) WHERE session_id = $1",
              [key],
            );
            dying.add(key);
          }
        });
        await Promise.all(uses);
        expect(wrong).toEqual([]);
        for (const key of dying) {
          if (!dead.has(key)) seen.died += 1;
          dead.add(key);
        }
        const live = await database.query("SELECT session_id FROM mcp_sessions WHERE expires_at > now()");
        const liveKeys = live.map(({ session_id: key }) => String(key)).toSorted();
        // Opened in the same round as an "end others" of its principal, it may have been ended by that.
        const mayBeEnded = new Set([...owners.keys()].filter((key) => !known.includes(key)));
        const expected = [...owners.keys()].filter((key) => !dead.has(key));
        expect(liveKeys.filter((key) => !expected.includes(key))).toEqual([]);
        expect(expected.filter((key) => !liveKeys.includes(key) && !mayBeEnded.has(key))).toEqual([]);
        for (const key of mayBeEnded) if (!liveKeys.includes(key)) dead.add(key);
      }
    }),
    { numRuns: 150 },
  );
  // The histories were worth something.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(50);
});

test.each([
  ["ended", "ended_at = now(), expires_at = now()"],
  ["expired", "expires_at = now()"],
])("a request that waits while its session is being %s does not bring it back", async (_, change) => {
  const database = await createDatabase();
  const sessions = sessionsOf(database, ALWAYS_TOUCHED);
  await sessions.open({
    key: "k",
    principal: "alice",
    protocolVersion: "x",
    clientInfo: {},
    capabilities: {},
  });
  const changing = await heldOpen(
    database,
    `UPDATE mcp_sessions SET ${change} WHERE session_id = 'k' RETURNING 1`,
  );
  // It has found the session alive, wants to touch it, and waits for the row.
  const resuming = sessions.resume("k", "alice");
  await changing.waitedFor();
  await changing.release();
  expect(await resuming).toBeUndefined();
  expect(await database.query("SELECT expires_at > now() AS is_live FROM mcp_sessions")).toEqual([
    { is_live: false },
  ]);
});
