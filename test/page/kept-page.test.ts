// How handles and tasks are written: in their lists, on their own pages, and in the questions before they are ended.
import { expect, test } from "vitest";
import type { ListedHandle, ListedTask } from "../../src/admin/listed-kept.ts";
import { handleWords } from "../../src/page/handle-words.ts";
import { keptList, keptPage, keptQuestion } from "../../src/page/kept-page.ts";
import { taskWords } from "../../src/page/task-words.ts";
import { readPart } from "./part.ts";

const KEY = "a1".repeat(32);
const times = { created_at: "2026-11-25T01:00:00.000Z", expires_at: "2026-11-25T03:00:00.000Z" };

const handleOf = (changes: Partial<ListedHandle> = {}): ListedHandle => ({
  ...times,
  key: KEY,
  principal: "alice",
  state: "active",
  version: 1234,
  handle: "a1a1a1a1",
  kind: "basket",
  is_ended: false,
  value_bytes: 5678,
  sliding_seconds: null,
  last_used_at: "2026-11-25T02:00:00.000Z",
  ...changes,
});

const taskOf = (changes: Partial<ListedTask> = {}): ListedTask => ({
  ...times,
  key: KEY,
  principal: "alice",
  state: "active",
  version: 3,
  task: "a1a1a1a1",
  tool: "report",
  status: "working",
  attempt: 1,
  max_attempts: 3,
  leased_until: null,
  call_bytes: null,
  result_bytes: null,
  updated_at: "2026-11-25T02:00:00.000Z",
  ...changes,
});

test("the page of a handle tells all of it, and how it is ended", async () => {
  const { text, links } = await readPart(keptPage(handleWords, handleOf()));
  expect(text).toContain(
    "Name in the log a1a1a1a1 Principal alice Kind basket State active Last used 2026-11-25 02:00:00 UTC",
  );
  expect(text).toContain("Made 2026-11-25 01:00:00 UTC Expires 2026-11-25 03:00:00 UTC");
  expect(text).toContain(`Its value 5,678 bytes Version 1,234 Each use keeps it for no longer Key ${KEY}`);
  expect(links).toEqual([`/admin/handles/${KEY}/end`, "/admin/handles?principal=alice"]);
});

test("a handle that slides says for how long; one that was ended, that it was", async () => {
  const { text, links } = await readPart(
    keptPage(handleWords, handleOf({ sliding_seconds: 90, is_ended: true, state: "expired" })),
  );
  expect(text).toContain("Each use keeps it for 1 min 30 s");
  expect(text).toContain("State ended Last used");
  expect(text).toContain("Expired 2026-11-25 03:00:00 UTC");
  expect(links).toEqual(["/admin/handles?principal=alice"]);
});

test("the page of a task tells who runs it, and how much is kept", async () => {
  const waiting = await readPart(keptPage(taskWords, taskOf()));
  expect(waiting.text).toContain("Tool report Status working Last change 2026-11-25 02:00:00 UTC");
  expect(waiting.text).toContain("State active Begun 1 of 3 times Run until nobody runs it");
  expect(waiting.text).toContain("Its call nothing is kept Its result none yet");
  const running = taskOf({ leased_until: "2026-11-25T02:05:00.000Z", call_bytes: 1200, result_bytes: 0 });
  const { text } = await readPart(keptPage(taskWords, running));
  expect(text).toContain("Run until 2026-11-25 02:05:00 UTC");
  expect(text).toContain("Its call 1,200 bytes Its result 0 bytes");
});

test.each([
  ["working", "good", true],
  ["input_required", "warning", true],
  ["completed", "plain", false],
  ["cancelled", "plain", false],
  ["failed", "bad", false],
] as const)(
  "a task that is %s can be cancelled while it is kept: %s, %s",
  async (status, kind, isEndable) => {
    const task = taskOf({ status });
    expect(taskWords.isEndable(task)).toBe(isEndable);
    expect(taskWords.isEndable({ ...task, state: "expired" })).toBe(false);
    const { html } = await readPart(keptPage(taskWords, task));
    expect(html).toContain(`<span class="badge ${kind}">${status.replace("_", " ")}</span>`);
  },
);

test("before one is ended, the page asks; of one that is over there is no question", async () => {
  const { text, forms, links } = await readPart(keptQuestion(handleWords, handleOf(), "token"));
  expect(text).toContain("Handle a1a1a1a1 Principal alice Kind basket");
  expect(text).toContain("is told that it is not known");
  expect(text).toContain("End this handle");
  expect(forms).toEqual([{ method: "post", action: `/admin/handles/${KEY}/end`, fields: { csrf: "token" } }]);
  expect(links).toEqual([`/admin/handles/${KEY}`]);
  const over = await readPart(keptQuestion(taskWords, taskOf({ status: "failed" }), "token"));
  expect(over.text).toMatch(/^It cannot be cancelled any more\. The task/);
  expect(over.links).toEqual([`/admin/tasks/${KEY}`]);
  expect(over.forms).toEqual([]);
});

const listOf = (query: Record<string, string>, rows: ListedTask[], next: string | null = null) =>
  readPart(keptList(taskWords, query, { rows, next }, 10_000));

test("the list leads to each, to its principal, to its end, and to the next page", async () => {
  const { html, text, links } = await listOf(
    { tool: "report" },
    [taskOf(), taskOf({ status: "failed" })],
    KEY,
  );
  expect(text).toContain("Task Principal Tool Status Last change Expires or expired Cancel");
  expect(text).toContain(
    "a1a1a1a1 alice report working 2026-11-25 02:00:00 UTC 2026-11-25 03:00:00 UTC Cancel…",
  );
  expect(links).toEqual([
    "/admin/tasks",
    `/admin/tasks/${KEY}`,
    "/admin/tasks?principal=alice",
    `/admin/tasks/${KEY}/end`,
    `/admin/tasks/${KEY}`,
    "/admin/tasks?principal=alice",
    `/admin/tasks?tool=report&after=${KEY}`,
  ]);
  expect(html).toContain("<caption>Tasks, in an order that never changes</caption>");
});

test("an empty list says whether that is all", async () => {
  expect((await listOf({}, [])).text).toContain("No task is like this.");
  expect((await listOf({}, [], KEY)).text).toContain("None of the 10,000 that were looked at is like this.");
});

test("its form has the fields of its kind, with what was filled in", async () => {
  const query = { principal: "p", tool: "t", status: "failed", state: "active", task: "n", issuer: "i" };
  const { html, forms } = await readPart(keptList(taskWords, query, undefined, 10_000));
  expect(forms[0]?.fields).toEqual({ principal: "p", tool: "t", task: "n", issuer: "i", subject: "" });
  expect(html).toContain("<option selected>failed<");
  expect(html).toContain("<option selected>active<");
  expect(html).toContain("<details open>");
  const { forms: ofHandles, html: closed } = await readPart(
    keptList(handleWords, { kind: "k" }, undefined, 1),
  );
  expect(ofHandles[0]?.fields).toMatchObject({ kind: "k", handle: "" });
  expect(closed).not.toContain("<details open>");
});
