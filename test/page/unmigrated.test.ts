// The lists and the history where there is nothing: no server, no tables, or no rows.
import { expect, test } from "vitest";
import { createDatabase, startPostgres, stopPostgres } from "../support/worker.ts";
import { signIn } from "./operator.ts";

const HANDLE = "00000000-0000-0000-0000-000000000000";
const paths = [
  "/admin/sessions",
  `/admin/sessions/${HANDLE}`,
  `/admin/sessions/${HANDLE}/end`,
  "/admin/sessions/end?principal=alice",
  "/admin/runs",
  "/admin/runs/1",
  "/admin/history",
];

test("before db:migrate each page says what is missing, and so does the start of a run", async () => {
  const database = await createDatabase({ empty: true });
  const operator = await signIn(database.env({ ADMIN_PAGE: "true" }));
  for (const path of paths) {
    const { status, text } = await operator.get(path);
    expect(status, path).toBe(503);
    expect(text, path).toContain("npm run db:migrate");
  }
  const { status, text } = await operator.submit("/admin/runs/regular", "/admin/runs/regular");
  expect(status).toBe(503);
  expect(text).toContain("npm run db:migrate");
});

test("while PostgreSQL is stopped each page says so, and works again afterwards", async () => {
  const database = await createDatabase();
  const operator = await signIn(database.env({ ADMIN_PAGE: "true" }));
  await stopPostgres();
  try {
    for (const path of paths) {
      const { status, text } = await operator.get(path);
      expect(status, path).toBe(503);
      expect(text, path).toContain("Neon does not answer");
    }
  } finally {
    await startPostgres();
  }
  // The overview asks although the circuit is open, and closes it.
  expect((await operator.get("/admin")).status).toBe(200);
  expect((await operator.get("/admin/sessions")).status).toBe(200);
});

test("on an empty database each page says that there is nothing", async () => {
  const database = await createDatabase();
  const operator = await signIn(database.env({ ADMIN_PAGE: "true" }));
  const said = await Promise.all(paths.map(async (path) => (await operator.get(path)).text));
  expect(said).toEqual([
    expect.stringContaining("No session is like this"),
    expect.stringContaining("There is no session with this handle"),
    expect.stringContaining("There is no session with this handle"),
    expect.stringContaining("alice has no active session"),
    expect.stringContaining("No run is like this"),
    expect.stringContaining("There is no such page"),
    expect.stringContaining("Nothing has been counted yet"),
  ]);
});
