// The pages on which an operator finds handles and tasks, and ends them.
import { afterEach, describe, expect, test } from "vitest";
import { logged } from "../support/captured-logs.ts";
import { addHandles, addTasks, KEPT } from "../support/kept.ts";
import { createDatabase, databaseRequests, keys, setFaults } from "../support/worker.ts";
import { type Operator, signIn } from "./operator.ts";

afterEach(() => setFaults());

const kinds = [
  {
    what: "handle",
    path: "/admin/handles",
    add: addHandles,
    line: "MCP handle ended",
    question: "End this handle?",
    after: "ended",
    refused: "It was not ended",
  },
  {
    what: "task",
    path: "/admin/tasks",
    add: addTasks,
    line: "MCP task cancelled",
    question: "Cancel this task?",
    after: "cancelled",
    refused: "It was not cancelled",
  },
] as const;

async function start(variables: Record<string, string> = KEPT) {
  const database = await createDatabase();
  const env = database.env({ ADMIN_PAGE: "true", ...variables });
  return { database, env, operator: await signIn(env) };
}

const KEY = /\/([0-9a-f]{64})$/;
const listed = async (operator: Operator, path: string) => {
  const page = await operator.get(path);
  expect(page.status).toBe(200);
  return page.links.flatMap((link) => KEY.exec(link)?.[1] ?? []);
};

describe.each(kinds)("$path", ({ what, path, add, line, question, after, refused }) => {
  test("shows each once, page after page, in one statement each", async () => {
    const { database, operator } = await start();
    const all = await add(database, "alice", { count: 60 });
    const before = await databaseRequests();
    const first = await operator.get(path);
    expect((await databaseRequests()) - before).toBe(1);
    const seen = first.links.flatMap((link) => KEY.exec(link)?.[1] ?? []);
    const next = first.links.find((link) => link.includes("after=")) ?? "";
    expect(seen).toHaveLength(50);
    expect([...seen, ...(await listed(operator, next))]).toEqual(all);
  });

  test("is filtered, keeps its filter from page to page, and takes a form with fields that are not filled in", async () => {
    const { database, operator } = await start();
    await add(database, "alice & co", { count: 51 });
    const [old] = await add(database, "bob", { expiresAt: "now()" });
    expect(await listed(operator, `${path}?state=expired`)).toEqual([old]);
    expect(await listed(operator, `${path}?principal=+bob+&state=&${what}=&issuer=&subject=`)).toEqual([old]);
    expect(await listed(operator, `${path}?${what}=${old?.slice(0, 8)}`)).toEqual([old]);
    const first = await operator.get(`${path}?principal=alice+%26+co`);
    const next = first.links.find((link) => link.includes("after=")) ?? "";
    expect(next).toContain("principal=alice+%26+co");
    expect(await listed(operator, next)).toHaveLength(1);
    expect((await operator.get(`${path}?principal=nobody`)).text).toContain(`No ${what} is like this.`);
  });

  test("says what is wrong with what was filled in, keeps it, and does not ask the database", async () => {
    const { operator } = await start();
    const before = await databaseRequests();
    const page = await operator.get(`${path}?${what}=xyz`);
    expect(page.status).toBe(400);
    expect(page.text).toContain(`${what} must be the 8 characters of a ${what} in the log`);
    expect(page.forms.find(({ action }) => action === path)?.fields[what]).toBe("xyz");
    expect((await databaseRequests()) - before).toBe(0);
  });

  test("shows one, asks before it ends it, ends it, and leaves a trace of who and what", async () => {
    const { database, operator } = await start();
    const [key = ""] = await add(database, "alice");
    const [other = ""] = await add(database, "bob");
    expect((await operator.get(`${path}/${key}`)).text).toContain("alice");
    const before = await databaseRequests();
    const asked = await operator.get(`${path}/${key}/end`);
    expect((await databaseRequests()) - before).toBe(1);
    expect(asked.text).toContain(question);
    expect(asked.text).toContain("alice");
    expect(logged(line)).toEqual([]);

    const answer = await operator.submit(`${path}/${key}/end`, `${path}/${key}/end`);
    expect(answer).toMatchObject({ status: 303, location: `${path}/${key}` });
    expect((await operator.get(`${path}/${key}`)).text).toContain(after);
    expect(logged(line)).toEqual([
      expect.objectContaining({ by: "ops", principal: "alice", [what]: key.slice(0, 8), reason: "operator" }),
    ]);
    const untouched = await operator.get(`${path}/${other}/end`);
    expect(untouched.forms.filter(({ action }) => action.endsWith("/end"))).toHaveLength(1);

    // Whoever comes late is told so, and nothing is done.
    const late = await operator.get(`${path}/${key}/end`);
    expect(late.text).toContain(`It cannot be ${after} any more`);
    expect(late.forms.filter(({ action }) => action.endsWith("/end"))).toEqual([]);
    const again = await operator.post(
      `${path}/${key}/end`,
      asked.forms.find(({ action }) => action === `${path}/${key}/end`)?.fields ?? {},
    );
    expect(again.status).toBe(404);
    expect(again.text).toContain(refused);
    expect(logged(line)).toHaveLength(1);
  });

  test.each([
    ["0".repeat(64), 404, "There is no"],
    [`${"0".repeat(64)}/end`, 404, "There is no"],
    ["7", 400, "key must be a key"],
    ["..%2f..%2fsessions", 400, "key must be a key"],
  ])("says of %s that it is not there", async (key, status, text) => {
    const { operator } = await start();
    const page = await operator.get(`${path}/${key}`);
    expect(page).toMatchObject({ status });
    expect(page.text).toContain(text);
    expect(page.headers.get("Content-Type")).toContain("text/html");
  });

  test("takes forms of its own pages alone, and shows nothing to a key with the scope health", async () => {
    const { database, env, operator } = await start();
    const [key = ""] = await add(database, "alice");
    const end = `${path}/${key}/end`;
    const fields = (await operator.get(end)).forms.find(({ action }) => action === end)?.fields ?? {};
    const foreign = { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" };
    expect((await operator.post(end, fields, foreign)).status).toBe(403);
    expect((await operator.post(end, { ...fields, csrf: "" })).status).toBe(403);
    expect((await operator.post(end, fields, { Cookie: "" })).status).toBe(401);
    const monitor = await signIn(env, keys.health);
    for (const to of [path, `${path}/${key}`, end]) {
      const page = await monitor.get(to);
      expect(page.status).toBe(403);
      expect(page.text).not.toContain("alice");
    }
    const own = (await monitor.get("/admin")).forms.at(-1)?.fields ?? {};
    expect((await monitor.post(end, own)).status).toBe(403);
    expect(logged(line)).toEqual([]);
    expect(await listed(operator, `${path}?state=active`)).toEqual([key]);
  });

  test("says why while the database cannot be asked", async () => {
    const { database, operator } = await start();
    const [key = ""] = await add(database, "alice");
    await setFaults({ fault: { kind: "quota" } });
    for (const to of [path, `${path}/${key}`, `${path}/${key}/end`]) {
      const page = await operator.get(to);
      expect(page.status).toBe(503);
      expect(page.text).toContain("quota_exceeded");
    }
  });

  test("is in the navigation, and there at all, where it is switched on", async () => {
    const { operator } = await start();
    expect((await operator.get("/admin/sessions")).html).toContain(`href="${path}"`);
    const { operator: without } = await start({});
    expect((await without.get("/admin/sessions")).html).not.toContain(path);
    expect((await without.get(path)).status).toBe(404);
  });
});

test("a handle's page has how much it keeps and what moves its end, but not its value", async () => {
  const { database, operator } = await start();
  const [key] = await addHandles(database, "alice", { value: '"4111 1111"', kind: "<b>cart" });
  const page = await operator.get(`/admin/handles/${key}`);
  expect(page.html).not.toMatch(/4111|<b>/);
  expect(page.text).toContain("<b>cart");
  expect(page.text).toContain("11 bytes");
  expect(page.text).toContain("no longer");
  await database.query("UPDATE mcp_handles SET sliding_seconds = 7200");
  expect((await operator.get(`/admin/handles/${key}`)).text).toContain("2 h");
});

test("handles are filtered by kind, and tasks by status and tool", async () => {
  const { database, operator } = await start();
  const [draft] = await addHandles(database, "alice", { kind: "draft" });
  await addHandles(database, "alice");
  expect(await listed(operator, "/admin/handles?kind=draft")).toEqual([draft]);
  const [asking] = await addTasks(database, "alice", { status: "input_required", tool: "ask" });
  await addTasks(database, "alice");
  expect(await listed(operator, "/admin/tasks?status=input_required")).toEqual([asking]);
  expect(await listed(operator, "/admin/tasks?tool=ask&status=")).toEqual([asking]);
  const page = await operator.get(`/admin/tasks/${asking}`);
  expect(page.text).toContain("input required");
  expect(page.text).toContain("1 of 3 times");
});

test("the overview has their numbers and ages, where they are switched on", async () => {
  const { database, operator } = await start();
  await addHandles(database, "alice", { count: 3 });
  await addHandles(database, "bob", { expiresAt: "now() - interval '2 days'" });
  await addTasks(database, "alice", { count: 2 });
  await addTasks(database, "bob", { leasedUntil: "now() - interval '3 days'" });
  await addTasks(database, "bob", { status: "input_required" });
  await addTasks(database, "bob", { status: "completed", count: 4 });
  const { text } = await operator.get("/admin");
  expect(text).toContain("Handles active 3 expired, not yet deleted the oldest expired 2 d ago 1");
  expect(text).toContain(
    "Tasks working 3 wait to be run the oldest since 3 d ago 1 wait for their client 1 ended 4 expired, not yet deleted 0",
  );
  const { operator: without } = await start({});
  expect((await without.get("/admin")).text).not.toMatch(/Handles|Tasks/);
});
