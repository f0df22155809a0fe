// The table of parameters in docs/database.md has every one that is refused or of which some values are.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  foreignParameters,
  limitedParameters,
  schemaParameters,
  settingParameters,
} from "../../src/db/connection-parameters.ts";

const [, section = ""] =
  /\n### Parameters\n([\s\S]*?)\n### /.exec(readFileSync("docs/database.md", "utf8")) ?? [];
const rowOf = (name: string) =>
  section.split("\n").find((row) => row.includes(`\`${name}\``) || row.includes(`\`${name}=`));

test.each([...settingParameters, ...schemaParameters, ...foreignParameters, "options", "search_path"])(
  "%s stands among what is refused",
  (name) => {
    expect(
      section.split("\n").some((row) => row.includes(`\`${name}\``) && row.includes("**refused**")),
    ).toBe(true);
  },
);

test.each(limitedParameters)("%s stands among what is taken", (name) => {
  expect(rowOf(name)).toBeDefined();
});
