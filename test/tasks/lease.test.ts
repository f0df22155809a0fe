// The lease of a task while its work goes on.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DatabaseFault } from "../../src/db/fault.ts";
import { holdLease, RENEWAL_MS } from "../../src/tasks/lease.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** What the database says to each renewal, and how many there were. */
function renewals(...said: (boolean | Error)[]) {
  let asked = 0;
  const renew = async () => {
    const says = said[asked++] ?? true;
    if (says instanceof Error) throw says;
    return says;
  };
  return { renew, asked: () => asked };
}

const fault = () =>
  new DatabaseFault("renewing a lease", {
    kind: "timeout",
    retryable: true,
    outcomeUnknown: true,
    answered: false,
  });

test("work that ends soon costs no statement; longer work renews its lease until it ends", async () => {
  const { renew, asked } = renewals();
  const { signal, release } = holdLease(renew);
  await vi.advanceTimersByTimeAsync(RENEWAL_MS - 1);
  expect(asked()).toBe(0);
  await vi.advanceTimersByTimeAsync(2 * RENEWAL_MS);
  expect(asked()).toBe(2);
  release();
  await vi.advanceTimersByTimeAsync(10 * RENEWAL_MS);
  expect(asked()).toBe(2);
  expect(signal.aborted).toBe(false);
});

test("a lease that is lost, or a cancelled task, aborts the work, and nothing is asked any more", async () => {
  const { renew, asked } = renewals(true, false);
  const { signal } = holdLease(renew);
  await vi.advanceTimersByTimeAsync(RENEWAL_MS);
  expect(signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(RENEWAL_MS);
  expect(signal.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(10 * RENEWAL_MS);
  expect(asked()).toBe(2);
});

test("while the database is down the work goes on, and the lease is renewed as soon as it answers", async () => {
  const { renew, asked } = renewals(fault(), fault(), true);
  const { signal, release } = holdLease(renew);
  await vi.advanceTimersByTimeAsync(3 * RENEWAL_MS);
  expect(asked()).toBe(3);
  expect(signal.aborted).toBe(false);
  release();
});

test("a renewal that answers after the work has ended aborts nothing", async () => {
  let answer: (isMine: boolean) => void = () => {};
  const { signal, release } = holdLease(() => new Promise((resolve) => (answer = resolve)));
  await vi.advanceTimersByTimeAsync(RENEWAL_MS);
  release();
  answer(false);
  await vi.advanceTimersByTimeAsync(10 * RENEWAL_MS);
  expect(signal.aborted).toBe(false);
});
