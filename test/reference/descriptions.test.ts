// What has no description is named by the check, or does not compile.
import { pgTable, text, index } from "drizzle-orm/pg-core";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { alertsSection } from "../../dev/reference/alerts.ts";
import { readComments } from "../../dev/reference/comments.ts";
import { databasePage } from "../../dev/reference/database.ts";
import { errorsPage } from "../../dev/reference/errors.ts";
import { logsPage } from "../../dev/reference/logs.ts";
import { errorMeanings } from "../../dev/reference/meanings.ts";
import { allFamilies, metricsPage } from "../../dev/reference/metrics.ts";
import { readRoutes, registeredRoutes } from "../../dev/reference/route-list.ts";
import { routesPage } from "../../dev/reference/routes.ts";
import { variablesPage } from "../../dev/reference/variables.ts";
import type { ErrorCode } from "../../src/http/errors.ts";
import { rooms } from "../../src/env.ts";
import { documentedRoute } from "../../src/http/openapi.ts";
import { logOf } from "../../src/log.ts";
import { documented, integer } from "../../src/settings.ts";

const { routes } = readRoutes(registeredRoutes());

describe("a variable", () => {
  const problemsOf = (shape: z.ZodRawShape) => variablesPage({ ...rooms, own: { shape } }, "").problems;

  test("that is not documented is named", () => {
    expect(problemsOf({ MCP_NEW: z.string() })).toEqual(["The variable MCP_NEW has no description"]);
  });

  test("whose description or form is empty is named", () => {
    const schema = documented(z.string(), { description: " ", form: "", default: null });
    expect(problemsOf({ MCP_NEW: schema })).toEqual([
      "The variable MCP_NEW has no description",
      "The form of MCP_NEW has no description",
    ]);
  });

  test("with a description stands in the page, with its default, unit and rule", () => {
    const shape = {
      MCP_NEW: integer({ description: "Is new.", default: 7, min: 1, max: 9, unit: "seconds" }),
    };
    const rules = [{ variable: "MCP_NEW", holds: () => true, problem: "must be less than LOG_LEVEL" }];
    const page = variablesPage({ own: { shape, rules } }, "");
    expect(page.problems).toEqual([]);
    for (const part of [
      "### MCP_NEW\n\nIs new.",
      "Form: seconds, 1 to 9.",
      "Default: `7`.",
      "[`LOG_LEVEL`](variables.md#log_level)",
    ]) {
      expect(page.text).toContain(part);
    }
  });
});

describe("a route", () => {
  const problemsOf = (build: (app: Hono) => void) => {
    const app = new Hono();
    build(app);
    const found = readRoutes(app.routes);
    // Without the routes of the Worker no field needs the meanings of theirs.
    return [...found.problems, ...routesPage([...routes, ...found.routes]).problems];
  };

  test("without documentedRoute is named, one for each method and path", () => {
    const route = documentedRoute({ summary: "Is there", answers: { 204: { description: "Done" } } });
    const problems = problemsOf((app) =>
      app
        .get("/new", (c) => c.text(""))
        .get("/known", route, (c) => c.text(""))
        .post("/known", (c) => c.text(""))
        .use("*", (_, next) => next()),
    );
    expect(problems).toEqual([
      "The route GET /new has no description: give it a documentedRoute",
      "The route POST /known has no description: give it a documentedRoute",
    ]);
  });

  test("with a summary, parameter, answer or field without a description is named", () => {
    const route = documentedRoute({
      summary: "",
      query: z.object({ q: z.string() }),
      answers: { 200: { description: "", schema: z.object({ odd: z.string() }) } },
    });
    expect(problemsOf((app) => app.get("/new", route, (c) => c.text("")))).toEqual([
      "The route GET /new has no description",
      "The parameter q of GET /new has no description",
      "The answer 200 of GET /new has no description",
      "The field odd of GET /new has no description",
    ]);
  });
});

test("an error code without a meaning is named, and so is one that no route refuses with", () => {
  const meanings: Record<ErrorCode, string> = { ...errorMeanings, forbidden: "" };
  const withoutMcp = routes.filter(({ path }) => path !== "/mcp");
  expect(errorsPage(meanings, withoutMcp).problems).toEqual(
    expect.arrayContaining([
      "The error code forbidden has no description",
      "The error code parse_error is in `refusals` of no route",
    ]),
  );
  expect(errorsPage(errorMeanings, routes).problems).toEqual([]);
});

test("a metric without help is named", () => {
  const [family, ...others] = allFamilies();
  expect(family).toBeDefined();
  const families = family === undefined ? [] : [{ ...family, help: "" }, ...others];
  expect(metricsPage(families, []).problems).toEqual(["The metric mcp_session_store_up has no description"]);
});

test("an alert without a description, summary or runbook is named, and so is a recorded series without a comment", () => {
  const rules = `
groups:
  - name: mine
    rules:
      - alert: Mine
        expr: up == 0
        labels: { severity: warning }
        annotations: {}
      - record: mine:series
        expr: up
`;
  expect(alertsSection([rules]).problems).toEqual([
    "The alert Mine has no description",
    "The summary of the alert Mine has no description",
    "The runbook of the alert Mine has no description",
    "The recorded series mine:series has no description",
  ]);
  expect(() => alertsSection(["groups:\n  - rules:\n      - expr: up\n"])).toThrow(z.ZodError);
});

test("a log line without a meaning, a field without a comment and a field of no line are named", () => {
  const comments = readComments(
    "export interface LogFields {\n  tier: string;\n  /** Old. */\n  old: string;\n}\n",
  );
  const lines = [{ subject: "s", level: "info", message: "m", meaning: "", fields: ["tier"] as const }];
  expect(logsPage(lines, comments).problems).toEqual([
    "The log line m has no description",
    "The log field old is in no line: take it out of LogFields",
    "The log field tier has no description",
  ]);
});

test("a table, column or index without a comment is named", () => {
  const mine = pgTable("my_table", { id: text("id") }, (table) => [index("my_index").on(table.id)]);
  const bare = `export const mine = pgTable("my_table", {\n  id: text("id"),\n}, (table) => [\n  index("my_index").on(table.id),\n]);\n`;
  expect(databasePage({ mine }, readComments(bare), []).problems).toEqual([
    "The table my_table has no description",
    "The column my_table.id has no description",
    "The index my_index has no description",
  ]);
  const commented = bare
    .replace("export", "/** Mine. */\nexport")
    .replace("  id:", "  /**\n   * One\n   * line.\n   */\n  id:")
    .replace("  index(", "  // A query.\n  index(");
  const page = databasePage({ mine }, readComments(commented), []);
  expect(page.problems).toEqual([]);
  expect(page.text).toContain("| `id` | text | yes |  | One line. |");
});

test("a comment that does not end stops the check", () => {
  expect(() => readComments("/** Mine.\nexport const a = 1;\n")).toThrow("line 1 does not end");
});

test("a routine without a comment is named, and one that begins otherwise stops the check", () => {
  const routine = (sql: string) => ({
    name: "f",
    kind: "function" as const,
    text: sql,
    sha256: "",
    countsRows: false,
    body: "",
  });
  const comments = readComments("");
  const create = "CREATE OR REPLACE FUNCTION f()\nRETURNS void\nLANGUAGE sql\nAS $$ $$;\n";
  expect(databasePage({}, comments, [routine(create)]).problems).toEqual([
    "The routine f has no description",
  ]);
  expect(databasePage({}, comments, [routine(`-- Does it.\n${create}`)]).problems).toEqual([]);
  expect(() => databasePage({}, comments, [routine(`SELECT 1;\n${create}`)])).toThrow("f.sql must begin");
});

/** Never called: the compiler judges it. */
export function doesNotCompile() {
  const log = logOf("compile", {
    info: { opened: { meaning: "It was opened.", fields: ["tier", "run_id"] } },
  });
  log.info("opened", { tier: "regular", run_id: 1 });
  const more = { tier: "regular", cron: "* * * * *" };
  // @ts-expect-error -- not a line of this logger
  log.info("closed");
  // @ts-expect-error -- not a field of this line
  log.info("opened", { tier: "regular", cron: "* * * * *" });
  // @ts-expect-error -- nor when a variable brings it
  log.info("opened", { ...more });
  // @ts-expect-error -- a field of another type
  log.info("opened", { run_id: "1" });
  // @ts-expect-error -- a line without a meaning
  logOf("compile", { info: { opened: { fields: [] } } });
  // @ts-expect-error -- a field that LogFields does not have
  logOf("compile", { info: { opened: { meaning: "It was opened.", fields: ["colour"] } } });
  // @ts-expect-error -- a variable without a description
  integer({ default: 1, min: 0, max: 2, unit: "seconds" });
  // @ts-expect-error -- a route without a summary
  documentedRoute({ answers: {} });
}
