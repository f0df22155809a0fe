// docs/reference is what the code says: nothing is left out, nothing is written by hand, every link leads somewhere.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getTableColumns, is } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { driftOf, writePages } from "../../dev/reference/main.ts";
import { anchorOf } from "../../dev/reference/markdown.ts";
import { errorMeanings } from "../../dev/reference/meanings.ts";
import { allFamilies } from "../../dev/reference/metrics.ts";
import { createReference, type Reference } from "../../dev/reference/pages.ts";
import { registeredRoutes } from "../../dev/reference/route-list.ts";
import { readSqlFiles } from "../../drizzle/files.ts";
import * as schema from "../../src/db/schema.ts";
import { readConfig, rooms } from "../../src/env.ts";
import { logManual } from "../../src/log.ts";
import ownServer from "../../dev/reference/own-variables.ts";

const DOCS = join("docs", "reference");

let reference: Reference;
beforeAll(async () => {
  reference = await createReference();
});

const pageOf = (file: string) => readFileSync(join(DOCS, file), "utf8");
const anchorsOf = (text: string) =>
  [...text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    anchorOf(heading),
  );

test("everything has a description, and no page has drifted", () => {
  expect(reference.problems).toEqual([]);
  expect(driftOf(DOCS, reference.files)).toEqual([]);
});

test("a second run gives the same text, and oxfmt leaves it as it is", async () => {
  expect(await createReference()).toEqual(reference);
  const oxfmt = join("node_modules", ".bin", "oxfmt");
  expect(() => execFileSync(oxfmt, ["--check", DOCS], { stdio: "pipe" })).not.toThrow();
});

describe("each has a heading of its own:", () => {
  const tables = Object.values(schema).filter((value) => is(value, PgTable));
  test.each([
    ["variables.md", Object.values(rooms).flatMap(({ shape }) => Object.keys(shape))],
    ["errors.md", Object.keys(errorMeanings)],
    ["metrics.md", allFamilies().map(({ name }) => name)],
    [
      "metrics.md",
      [...readFileSync("ops/prometheus/rules/alerts.yml", "utf8").matchAll(/- alert: (\w+)/g)].map(
        ([, name = ""]) => name,
      ),
    ],
    ["logs.md", logManual.map(({ message }) => message)],
    ["database.md", tables.map((table) => getTableConfig(table).name)],
    ["database.md", readSqlFiles("drizzle").routines.map(({ name }) => name)],
    [
      "routes.md",
      registeredRoutes()
        .filter(({ method }) => method !== "ALL")
        .map(({ method, path }) => `${method} ${path}`),
    ],
  ])("%s: %j", (file, names) => {
    expect(names).not.toEqual([]);
    const anchors = anchorsOf(pageOf(file));
    for (const name of names) {
      expect(
        anchors.filter((anchor) => anchor === anchorOf(name)),
        name,
      ).toHaveLength(1);
    }
  });

  test("every column has a row", () => {
    for (const table of tables) {
      const { name } = getTableConfig(table);
      const section = pageOf("database.md").split(`### ${name}\n`)[1]?.split("\n### ")[0];
      for (const column of Object.values(getTableColumns(table))) {
        expect(section).toMatch(new RegExp(`^\\| \`${column.name}\` `, "m"));
      }
    }
  });
});

test("every link leads to a page and a heading that are there, and no two headings share an anchor", () => {
  for (const file of reference.files.keys()) {
    const anchors = anchorsOf(pageOf(file));
    expect(new Set(anchors).size, file).toBe(anchors.length);
    const links = [...pageOf(file).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
    expect(links, `${file} has links`).not.toEqual([]);
    const broken = links.filter((link) => {
      if (link.startsWith("https://")) return false;
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? join(DOCS, file) : join(DOCS, path);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).includes(anchor);
    });
    expect(broken, `links of ${file} that lead nowhere`).toEqual([]);
  }
});

describe("the check", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mcp-sessions-reference-"));
    cpSync(DOCS, folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const edit = (file: string, change: (text: string) => string) => {
    const before = readFileSync(join(folder, file), "utf8");
    const after = change(before);
    expect(after).not.toBe(before);
    writeFileSync(join(folder, file), after);
  };
  const drift = (file: string) => [`docs/reference/${file} has drifted from the code: run npm run docs`];

  test.each([
    [
      "a word is changed by hand",
      "variables.md",
      "How long a session lives after its last use.",
      "How long it lives.",
    ],
    ["an error code is missing", "errors.md", "### parse_error\n", ""],
    ["a metric is missing", "metrics.md", "### mcp_sessions_opened_total\n", ""],
    ["a log line is missing", "logs.md", "### `MCP session opened`\n", ""],
    ["a column is missing", "database.md", /^\| `ended_at` .*\n/m, ""],
    ["a route is missing", "routes.md", "## GET /metrics\n", ""],
  ])("is red when %s", (_, file, text, replacement) => {
    edit(file, (page) => page.replace(text, replacement));
    expect(driftOf(folder, reference.files)).toEqual(drift(file));
  });

  test("is red when a page is missing, or is there and not generated; npm run docs puts both right", () => {
    rmSync(join(folder, "logs.md"));
    writeFileSync(join(folder, "old.md"), "# Old\n");
    expect(driftOf(folder, reference.files)).toEqual([
      ...drift("logs.md"),
      "docs/reference/old.md is not generated from the code: run npm run docs",
    ]);
    writePages(folder, reference.files);
    expect(driftOf(folder, reference.files)).toEqual([]);
  });

  test("takes the line ends of Windows for ours", () => {
    edit("errors.md", (page) => page.replaceAll("\n", "\r\n"));
    expect(driftOf(folder, reference.files)).toEqual([]);
  });

  test("is a command that fails, names the page and writes nothing", () => {
    const check = () =>
      spawnSync(join("node_modules", ".bin", "node"), ["dev/reference/main.ts", "--check", folder], {
        encoding: "utf8",
      });
    expect(check()).toMatchObject({ status: 0, stderr: "" });
    edit("errors.md", () => "mine");
    expect(check()).toMatchObject({ status: 1, stderr: `${drift("errors.md").join("\n")}\n` });
    expect(readFileSync(join(folder, "errors.md"), "utf8")).toBe("mine");
  });
});

test("the server of the example in variables.md gets its own variables, parsed", () => {
  const env = {
    DATABASE_URL: "postgresql://role:password@ep.example.com/database",
    API_KEYS: "a:mcp:0123456789abcdefghijklmn",
    WEATHER_API_KEY: "secret",
  };
  expect(readConfig(env, ownServer.variables).server).toEqual({
    WEATHER_API_KEY: "secret",
    WEATHER_TIMEOUT_MS: 5000,
  });
  const { WEATHER_API_KEY: _, ...without } = env;
  expect(() => readConfig(without, ownServer.variables)).toThrow("WEATHER_API_KEY");
});
