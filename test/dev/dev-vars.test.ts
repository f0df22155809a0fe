// .dev.vars: made once, then only read.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fillExample, generateApiKeys, keyWithScope, openVars, remoteDatabaseUrl } from "../../dev/vars.ts";

const EXAMPLE =
  "# The database.\nDATABASE_URL=\n\n# The keys, API_KEYS=name:scopes:key\nAPI_KEYS=\n# The end.\n";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dev-vars-"));
  writeFileSync(join(folder, ".dev.vars.example"), EXAMPLE);
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (text: string) => writeFileSync(join(folder, ".dev.vars"), text);
const read = () => readFileSync(join(folder, ".dev.vars"), "utf8");

describe("the first run", () => {
  test("makes a file for its owner only, with a key that the Worker accepts and the embedded database", () => {
    const { apiKeys, databaseUrl, wasMade } = openVars(folder);
    expect(wasMade).toBe(true);
    expect(databaseUrl).toBeUndefined();
    expect(apiKeys).toMatch(/^dev:health\+metrics\+mcp\+admin:[\w-]{43}$/);
    expect(statSync(join(folder, ".dev.vars")).mode & 0o777).toBe(0o600);
  });

  test("keeps every other line of the example", () => {
    const { apiKeys } = openVars(folder);
    expect(read()).toBe(EXAMPLE.replace(/^API_KEYS=$/m, () => `API_KEYS=${apiKeys}`));
  });

  test("makes another key each time", () => {
    expect(generateApiKeys()).not.toBe(generateApiKeys());
  });

  test("fills the example of this repository", () => {
    const example = readFileSync(".dev.vars.example", "utf8");
    expect(fillExample(example, "a:health:b").split("\n")).toContain("API_KEYS=a:health:b");
  });

  test("fails when the example has nothing to fill in", () => {
    expect(() => fillExample("API_KEYS=x:health:y\n", "a:health:b")).toThrow("no empty API_KEYS=");
  });
});

describe("an existing .dev.vars", () => {
  test("is read and stays as it is, byte for byte", () => {
    const text = `API_KEYS="me:health:${"k".repeat(24)}"\r\nLOG_LEVEL=debug\n# mine`;
    write(text);
    expect(openVars(folder)).toEqual({
      vars: { API_KEYS: `me:health:${"k".repeat(24)}`, LOG_LEVEL: "debug" },
      apiKeys: `me:health:${"k".repeat(24)}`,
      databaseUrl: undefined,
      wasMade: false,
    });
    expect(read()).toBe(text);
  });

  test.each(["", "API_KEYS=\n", "DATABASE_URL=\n"])(
    "without keys is refused with a line to add: %j",
    (text) => {
      write(text);
      expect(() => openVars(folder)).toThrow(/^\.dev\.vars has no API_KEYS.*\n\nAPI_KEYS=dev:health\S+$/);
      expect(read()).toBe(text);
    },
  );
});

describe("DATABASE_URL", () => {
  test("of a Neon database is used as it is", () => {
    const url = "postgresql://me:p%40ss$word@ep-a-1.eu-central-1.aws.neon.tech/db?sslmode=require";
    expect(remoteDatabaseUrl({ DATABASE_URL: url })).toBe(url);
  });

  test.each([
    "not a url secret",
    "https://me:secret@ep-a-1.neon.tech/db",
    "postgres://me:secret@localhost/db",
    "postgres://me:secret@[::1]:5432/db",
  ])("that cannot work is refused without being repeated: %s", (url) => {
    expect(() => remoteDatabaseUrl({ DATABASE_URL: url })).toThrow(
      expect.objectContaining({ name: "Failure", message: expect.not.stringContaining("secret") }),
    );
  });

  test("may be local when the endpoint is overridden too", () => {
    const vars = {
      DATABASE_URL: "postgres://a:b@localhost/c",
      NEON_ENDPOINT_OVERRIDE: "http://127.0.0.1:1/sql",
    };
    expect(remoteDatabaseUrl(vars)).toBe(vars.DATABASE_URL);
  });
});

describe("the key that is shown", () => {
  test.each([
    ["dev:health+mcp:one", "one"],
    ["a:mcp:one, b:metrics+health:two", "two"],
    ["a:health:sha256=00\nb:health:two", "two"],
    ["a:health:sha256=00", undefined],
    ["a:healthy:one", undefined],
    ["", undefined],
  ])("of %j is %j", (apiKeys, key) => {
    expect(keyWithScope(apiKeys, "health")).toBe(key);
  });
});
