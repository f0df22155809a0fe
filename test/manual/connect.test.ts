// What /admin/connect shows to copy is what the manual shows: each text stands in the section of its client, and no other does.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { codeBlocks } from "../../dev/manual.ts";
import { clientGuides, textOf } from "../../src/page/client-configs.ts";

const sections = new Map(
  readFileSync("docs/clients.md", "utf8")
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf("\n")), section]),
);
// As the manual writes them.
const target = { url: "https://YOUR-WORKER/mcp", name: "my-server" };
// Programs are files of examples/clients; what follows in a session needs its id.
const ELSEWHERE = ["ts", "python"];
const NEEDS_MORE = /THE_ID|--config mcp\.json|"streamable-http"/;

// How JSON is broken into lines is a matter of taste.
const meant = (text: string): unknown => (text.startsWith("{") ? JSON.parse(text) : text.trimEnd());

const textsOf = (client: string) =>
  codeBlocks(sections.get(client) ?? "")
    .filter(({ language, text }) => !ELSEWHERE.includes(language) && !NEEDS_MORE.test(text))
    .map(({ text }) => meant(text));

describe.each(clientGuides)("$name", ({ name, withKey }) => {
  test("has a section in the manual, with the same texts in the same order", () => {
    expect(sections.has(name)).toBe(true);
    expect(withKey.map(([, text]) => meant(textOf(text(target))))).toEqual(textsOf(name));
  });
});

test("every client of the manual is on the page; curl and what one writes oneself need the manual", () => {
  const clients = [...sections.keys()].filter((name) => name !== "curl" && textsOf(name).length > 0);
  const onPage = clientGuides.filter(({ withKey }) => withKey.length > 0).map(({ name }) => name);
  expect(clients).toEqual(onPage);
});
