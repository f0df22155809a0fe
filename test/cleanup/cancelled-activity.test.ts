// A request that is cancelled while it records activity keeps no other request from recording it.
import { expect, test } from "vitest";
import { createIdleSleep } from "../../src/cleanup/idle-sleep.ts";

test("an attempt to record activity counts for two seconds, until it has succeeded", async () => {
  let time = Date.parse("2026-11-25T12:00:00Z");
  const written: string[] = [];
  let isHanging = true;
  const records = {
    get: async () => null,
    put: (key: string) => {
      written.push(key);
      // Nothing of a cancelled request is ever settled.
      return isHanging ? new Promise<void>(() => {}) : Promise.resolve();
    },
  };
  const { recordActivity } = createIdleSleep(
    { records, maxSeconds: 86_400 },
    { versionId: "1", minAgeSeconds: { regular: 0, immediate: 3600 }, now: () => new Date(time) },
  );
  void recordActivity();
  await new Promise((resolve) => setTimeout(resolve, 10));
  isHanging = false;
  // Another request leaves it to the first one.
  await recordActivity();
  expect(written).toEqual(["activity"]);
  time += 2000;
  await recordActivity();
  expect(written).toEqual(["activity", "activity"]);
  time += 299_999;
  await recordActivity();
  expect(written).toHaveLength(2);
  time += 1;
  await recordActivity();
  expect(written).toHaveLength(3);
});
