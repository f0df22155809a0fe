// docs/oauth.md says what the code does: every reason, every variable, and settings that the Worker takes as they stand.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { codeBlocks } from "../../dev/manual.ts";
import { tokenShape } from "../../src/auth/token-settings.ts";
import { tokenRefusals } from "../../src/auth/verdict.ts";
import { readConfig, rooms } from "../../src/env.ts";

const page = readFileSync("docs/oauth.md", "utf8");

/** The text below a heading, up to the next heading of its level or a higher one. */
function section(heading: string): string {
  const [marks = ""] = /^#+/.exec(heading) ?? [];
  const [, below = ""] = page.split(`\n${heading}\n`);
  return below.split(new RegExp(`^#{1,${marks.length}} `, "m"))[0] ?? "";
}

/** The first cells of each row of a table, without the head. */
const rowsOf = (markdown: string) =>
  [...markdown.matchAll(/^\| (.*) \|$/gm)]
    .slice(2)
    .map(([, row = ""]) => row.split(" | ").map((cell) => cell.trim()));

test("has each reason of a refusal with the sentence that the client is told, and what to look at", () => {
  const rows = rowsOf(section("## It says 401"));
  expect(Object.fromEntries(rows.map(([reason, sentence]) => [reason, sentence]))).toEqual(
    Object.fromEntries(Object.entries(tokenRefusals).map(([reason, text]) => [`\`${reason}\``, text])),
  );
  expect(rows.filter(([, , advice = ""]) => advice.length < 20)).toEqual([]);
});

test("names no variable that is not there, and each variable of tokens", () => {
  const known = Object.values(rooms).flatMap(({ shape }) => Object.keys(shape));
  const named = new Set(page.match(/\b(?:OAUTH|ACCESS|MCP|API|AUTHORIZATION)_[A-Z_]+\b/g));
  expect([...named].filter((name) => !known.includes(name))).toEqual([]);
  expect(Object.keys(tokenShape).filter((name) => !named.has(name))).toEqual([]);
});

describe("the settings", () => {
  const secrets = {
    DATABASE_URL: "postgresql://role:password@ep-name-12345678.region.aws.neon.tech/database",
    API_KEYS: `monitor:health:${"k".repeat(43)}`,
  };
  const blocks = codeBlocks(page).filter(({ language }) => language === "toml");
  const providers = ["Auth0", "WorkOS AuthKit", "Clerk", "Keycloak", "Entra ID", "Cloudflare Access"];

  test.each(blocks.map(({ text }) => [text.trim().split("\n").at(-1), text]))(
    "with %s are taken",
    (_, text) => {
      const lines = [...text.matchAll(/^ *([A-Z_]+) = "(.*)"$/gm)];
      expect(lines.length).toBeGreaterThan(0);
      const vars = Object.fromEntries(lines.map(([, name = "", value = ""]) => [name, value]));
      const { tokens, access } = readConfig({ ...secrets, ...vars });
      expect(tokens ?? access).toBeDefined();
    },
  );

  test.each(providers)("for %s are there, with what to do there and the trap", (provider) => {
    const recipe = section(`### ${provider}`);
    expect(recipe).toMatch(/^- There: /m);
    expect(recipe).toMatch(/^ *```toml$/m);
    expect(recipe).toMatch(/^- Trap: /m);
  });
});
