// What all lists of the page have.
import { html } from "hono/html";
import { expect, test } from "vitest";
import { address, choice, filledIn, filter, list, moreFields, textField } from "../../src/page/list.ts";
import { htmlOf } from "./part.ts";

test("an address has the parameters that are set", () => {
  expect(address("/admin/runs", {})).toBe("/admin/runs");
  expect(address("/admin/runs", { tier: undefined, outcome: "" })).toBe("/admin/runs");
  expect(address("/admin/runs", { tier: "regular", outcome: "", before: 7, client: "a b&c" })).toBe(
    "/admin/runs?tier=regular&before=7&client=a+b%26c",
  );
});

test("what was filled in has no spaces around it, and fields that were not are left out", async () => {
  expect(filledIn({ principal: "  alice ", client: " ", state: "" })).toEqual({ principal: "alice" });
});

const of = (rows: string[][], next?: string) =>
  htmlOf(list({ caption: "Runs", head: ["Run"], rows, next, empty: "No run is like this." }));

test("a list without rows says so, and still leads to the next page", async () => {
  expect(await of([])).toBe('<p><span class="none">No run is like this.</span></p>');
  expect(await of([], "/admin/runs?before=7")).toContain('<a href="/admin/runs?before=7"');
});

test("a list with rows is a table", async () => {
  expect(await of([["7"]])).toContain('<th scope="row">7</th>');
  expect(await of([["7"]])).not.toContain("No run is like this.");
});

const field = { name: "tier", label: "Tier", value: undefined };

test("a field has its label, what was filled in, and as much room as the column", async () => {
  expect(await htmlOf(textField({ ...field, value: '"x"' }, 128))).toBe(
    '<div class=""><label for="tier">Tier</label><input id="tier" name="tier" value="&quot;x&quot;" maxlength="128" autocomplete="off" /></div>',
  );
  expect(await htmlOf(textField(field, 8, "short"))).toMatch(/^<div class="short">.* value="" /);
});

test("of a choice the one that was made is selected, else any", async () => {
  const chosen = await htmlOf(choice({ ...field, value: "immediate" }, ["regular", "immediate"]));
  expect(chosen).toContain('<option value="">any</option>');
  expect(chosen).toMatch(/<option ?>regular</);
  expect(chosen).toContain("<option selected>immediate<");
  expect(await htmlOf(choice(field, ["regular"]))).not.toContain("selected");
});

test("fields that few need are open when one of them is filled in", async () => {
  const fields = [textField(field, 8)];
  expect(await htmlOf(moreFields("More", true, fields))).toContain("<details open>");
  expect(await htmlOf(moreFields("More", false, fields))).not.toContain("open");
});

test("a filter asks for its own list", async () => {
  expect(await htmlOf(filter("/admin/runs", [], html`<b>more</b>`))).toBe(
    '<form class="filter" action="/admin/runs" role="search"><button>Filter</button> <a href="/admin/runs">All</a><b>more</b></form>',
  );
});
