// A run that an operator has started goes on when the operator goes away.
import { createExecutionContext } from "cloudflare:test";
import { expect, test } from "vitest";
import { addExpired, runsOf } from "../support/cleanup.ts";
import { holdDeletions } from "../support/locks.ts";
import worker from "../support/main.ts";
import { bearer, createDatabase, keys } from "../support/worker.ts";

/** Asks for a run, and takes down what the platform is asked to wait for when the caller has gone. */
function askForRun(env: Env) {
  const handed: Promise<unknown>[] = [];
  const context = Object.create(createExecutionContext(), {
    waitUntil: { value: (promise: Promise<unknown>) => void handed.push(promise) },
  });
  const request = new Request<unknown, IncomingRequestCfProperties>("https://worker.test/cleanup/regular", {
    method: "POST",
    ...bearer(keys.admin),
  });
  return { answer: worker.fetch(request, env, context), handed };
}

test("the platform is told of the run while it lasts, and to wait until it is recorded", async () => {
  const database = await createDatabase();
  await addExpired(database, 20);
  const deletions = await holdDeletions(database);
  const { answer, handed } = askForRun(database.env());
  await deletions.waitedFor();
  expect(handed).toHaveLength(1);
  let isOver = false;
  const over = Promise.all(handed).then(() => (isOver = true));
  expect(await runsOf(database)).toMatchObject([{ outcome: "running" }]);
  expect(isOver).toBe(false);
  await deletions.release();
  await over;
  expect(await runsOf(database)).toMatchObject([{ outcome: "completed", deleted: "20" }]);
  expect((await answer).status).toBe(200);
});

test("a run that fails is no mistake of the Worker, for whoever waits for it", async () => {
  const database = await createDatabase();
  await addExpired(database, 20);
  await database.query("REVOKE DELETE ON mcp_sessions FROM mcp");
  const { answer, handed } = askForRun(database.env());
  expect((await answer).status).toBe(503);
  expect(await Promise.all(handed)).toEqual([undefined]);
});
