// Names that clients, principals and other programs choose: whatever they hold, the pages stay ours.
import { describe, expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/worker.ts";
import { type Operator, signIn } from "./operator.ts";

const MEGABYTE = 1024 * 1024;
const BIDI = "\u202e\u2066\u200f\u061c";
const MARKUP = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}\${7*7}<!--`;

const names: [string, string][] = [
  ["markup", MARKUP],
  ["text that turns around", `abc${BIDI}def`],
  ["a megabyte", "x".repeat(MEGABYTE)],
  ["a megabyte of markup", "<b>&amp;".repeat(MEGABYTE / 8)],
  ["a megabyte of marks on one letter", `a${"\u0301".repeat(MEGABYTE / 2)}`],
  ["what is not seen", "a\u200b\u00ad\u2060\ufeff\u{e0041}b"],
  ["lines and controls", "a\n\r\t\u001b[31m\u0085\u2028b"],
  ["an emoji of many parts", "👩‍👩‍👧‍👦".repeat(50)],
  ["nothing", ""],
  ["a name of a token that is none", '["https://issuer.example", 7]'],
];

/** The name stands in every text of a session, and in every text of a run. An index bounds what a principal can have. */
async function withName(name: string) {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO mcp_sessions (session_id, principal, protocol_version, log_level, end_reason, expires_at, client_info, capabilities, state)
     VALUES ($1, left($2, 1000), $2, $2, $2, now() + interval '1 hour', jsonb_build_object('name', $2::text, 'version', $2::text),
             jsonb_build_object($2::text, 1), jsonb_build_object($2::text, $2::text))`,
    [`id ${name}`.slice(0, 100), name],
  );
  await database.query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code, blocked, blocked_by)
     VALUES ('regular', 'cron', now(), now(), now(), now(), 'failed', $1, 7, $1)`,
    [name],
  );
  return { database, operator: await signIn(database.env({ ADMIN_PAGE: "true" })) };
}

async function pathsOf(operator: Operator): Promise<string[]> {
  const { links } = await operator.get("/admin/sessions");
  const one = links.find((link) => /^\/admin\/sessions\/[0-9a-f-]{36}$/.test(link)) ?? "";
  return ["/admin/sessions", one, `${one}/end`, "/admin/runs", "/admin/runs/1"];
}

describe.each(names)("%s", (_, name) => {
  test("is shown as text on every page, cut, and with nothing that is not seen", async () => {
    const { operator } = await withName(name);
    for (const path of await pathsOf(operator)) {
      const { status, html } = await operator.get(path);
      expect(status, path).toBe(200);
      expect(html.length, path).toBeLessThan(40_000);
      expect(html.match(/<script/g), path).toHaveLength(1);
      expect(html, path).not.toMatch(/<img|<b>|<!--/);
      expect(html, path).not.toMatch(
        // oxlint-disable-next-line no-control-regex -- it is about what is not seen
        /[\u202a-\u202e\u2066-\u2069\u200b-\u200f\u061c\u00ad\u2060\ufeff\u001b\u0085\u2028]/,
      );
    }
  });

  test("is found by its link, and its sessions can be ended by it, when it is a name that can be asked for", async () => {
    const { database, operator } = await withName(name);
    const { links } = await operator.get("/admin/sessions");
    const path = links.find((link) => link.startsWith("/admin/sessions?principal="));
    const isLong = Array.from(name).length > 512;
    const isAskable = name !== "" && !isLong && !/\p{Cc}/u.test(name);
    // A longer one is cut, and then it is the name of nobody; the page says so, and nothing breaks.
    expect(path !== undefined).toBe(isAskable || isLong);
    for (const asked of path === undefined ? [] : [path, path.replace("?", "/end?")])
      expect((await operator.get(asked)).status).toBe(200);
    const found = await endAllOf(operator, path);
    expect(found).toBe(isAskable);
    expect(await active(database)).toBe(isAskable ? 0 : 1);
  });
});

const active = async ({ query }: TestDatabase) =>
  Number((await query("SELECT count(*) FROM mcp_sessions WHERE expires_at > now()"))[0]?.["count"]);

/** Whether there was something to end. */
async function endAllOf(operator: Operator, path: string | undefined): Promise<boolean> {
  const question = path === undefined ? undefined : await operator.get(path.replace("?", "/end?"));
  const form = question?.forms.find(({ action }) => action === "/admin/sessions/end");
  if (form === undefined) return false;
  const answer = await operator.post(form.action, form.fields);
  expect(answer.status).toBe(200);
  return answer.text.includes("Ended: 1 ");
}
