// What docs/upgrade.md says of CHANGELOG.md: versions by Semantic Versioning, the newest first, and what breaks before all else.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const { version: current } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const [, ...versions] = readFileSync("CHANGELOG.md", "utf8")
  .split(/^## /m)
  .map((text) => ({
    name: /^[^\n]*/.exec(text)?.[0] ?? "",
    parts: [...text.matchAll(/^### (.*)$/gm)].map(([, part = ""]) => part),
  }));

test("the version of package.json is the newest that was released", () => {
  const [released] = versions.filter(({ name }) => name !== "Unreleased");
  expect(released?.name.split(" ")[0]).toBe(current);
  expect(current).toMatch(/^\d+\.\d+\.\d+$/);
});

test("versions go down", () => {
  const numbers = versions
    .filter(({ name }) => name !== "Unreleased")
    .map(({ name }) => name.split(" ")[0] ?? "");
  const newestFirst = numbers.toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }));
  expect(numbers).toEqual(newestFirst);
});

test.each(versions)(
  "$name says first what breaks, and has no other parts than those of the form",
  ({ parts }) => {
    const form = ["What breaks", "Added", "Changed", "Deprecated", "Fixed", "Security"];
    expect(parts).toEqual(form.filter((part) => parts.includes(part)));
  },
);
