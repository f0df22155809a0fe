// What the overview says of the version and of the configuration.
import { expect, test } from "vitest";
import * as z from "zod";
import { configurationSection, type Setup } from "../../src/page/configuration.ts";
import { findDifferences } from "../../src/page/differences.ts";
import { documented } from "../../src/settings.ts";
import { readPart } from "./part.ts";

const textOf = async (changes: Partial<Setup>) => {
  const version = { id: "v1", tag: "", deployedAt: null };
  const setup = { version, differences: [], unknownVariables: [], ...changes };
  return (await readPart(configurationSection(setup))).text;
};

test("the version has its tag and its time where they are known", async () => {
  expect(await textOf({})).toMatch(/^This Worker Version v1 Deployed not known/);
  const deployed = { id: "v1", tag: "blue", deployedAt: "2026-11-25T01:02:03.456789Z" };
  expect(await textOf({ version: deployed })).toContain(
    "Version v1 Tag blue Deployed 2026-11-25 01:02:03 UTC",
  );
  expect(await textOf({ version: { ...deployed, deployedAt: "yesterday" } })).toContain("Deployed not known");
});

test("a variable that nothing reads is told, with the one that may be meant", async () => {
  const unknownVariables = [
    { name: "MCP_TLL", nearest: "MCP_TTL" },
    { name: "MCP_OTHER", nearest: null },
  ];
  const text = await textOf({ unknownVariables });
  expect(text).toContain("read by nothing MCP_TLL. Is MCP_TTL meant?");
  expect(text).toMatch(/read by nothing MCP_OTHER (?!Is)/);
});

test("a variable has its value and its default; of a secret only that it is set", async () => {
  const text = await textOf({
    differences: [
      { name: "MCP_A", value: "7", fallback: "`5`" },
      { name: "MCP_B", value: undefined, fallback: "none" },
      { name: "MCP_C", value: "x", fallback: null },
    ],
  });
  expect(text).toContain("MCP_A 7 5 MCP_B set none MCP_C x must be set");
});

const manual = { description: "", form: "", default: "`5`" };
const shape = {
  NUMBER: documented(z.coerce.number().default(5), manual),
  MAP: documented(
    z
      .string()
      .default("a")
      .transform((text) => new Map(text.split(",").map((name) => [name, 1]))),
    manual,
  ),
  SECRET: documented(z.string().optional(), { ...manual, default: null }, "secret"),
  BINDING: documented(z.unknown(), manual, "binding"),
  UNDOCUMENTED: z.string().optional(),
  OBJECT: documented(z.unknown(), manual),
};

test("what means the same as the default is no difference, however it is written", () => {
  expect(findDifferences(shape, {})).toEqual([]);
  expect(findDifferences(shape, { NUMBER: "5.0", MAP: "a" })).toEqual([]);
});

test("differences are in the order of the manual, with their values", () => {
  expect(findDifferences(shape, { OBJECT: { a: 1 }, MAP: "a,b", NUMBER: 7 })).toEqual([
    { name: "NUMBER", value: "7", fallback: "`5`" },
    { name: "MAP", value: "a,b", fallback: "`5`" },
    { name: "OBJECT", value: '{"a":1}', fallback: "`5`" },
  ]);
});

test("no secret, no binding and nothing undocumented is shown, and no query of an address", () => {
  const differences = findDifferences(shape, {
    SECRET: "hidden",
    BINDING: "hidden",
    UNDOCUMENTED: "hidden",
    OBJECT: "https://a.example/x?token=hidden https://b.example/?hidden",
  });
  expect(differences).toEqual([
    { name: "SECRET", value: undefined, fallback: null },
    { name: "OBJECT", value: "https://a.example/x?… https://b.example/?…", fallback: "`5`" },
  ]);
});
