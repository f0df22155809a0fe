// The small parts of pages.
import { expect, test } from "vitest";
import {
  badge,
  button,
  count,
  duration,
  facts,
  hidden,
  link,
  manual,
  pager,
  section,
  soft,
  table,
  time,
  toCopy,
  untrusted,
} from "../../src/page/elements.ts";
import { htmlOf } from "./part.ts";

test.each([
  [-5, "0 ms"],
  [0.4, "0 ms"],
  [999, "999 ms"],
  [1000, "1 s"],
  [59_499, "59 s"],
  [60_000, "1 min"],
  [61_000, "1 min 1 s"],
  [3_600_000, "1 h"],
  [3_661_000, "1 h 1 min"],
  [3_601_000, "1 h"],
  [86_399_000, "23 h 59 min"],
  [86_400_000, "1 d"],
  [90_000_000, "1 d 1 h"],
  [86_460_000, "1 d"],
  [100 * 86_400_000, "100 d"],
])("%d ms are %s", (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});

test("numbers have commas between their thousands", () => {
  expect(count(1_234_567)).toBe("1,234,567");
  expect(count(999)).toBe("999");
});

test("a time is in UTC, from a moment or from ISO 8601; one that is not known says so", async () => {
  const shown = '<time datetime="2026-11-26T05:06:07.000Z">2026-11-26 05:06:07 UTC</time>';
  expect(await htmlOf(time(new Date("2026-11-26T05:06:07Z")))).toBe(shown);
  expect(await htmlOf(time("2026-11-26T05:06:07.000Z"))).toBe(shown);
  expect(await htmlOf(time(null))).toContain("not known");
});

test("a table has the names of its rows and its columns, and aligns numbers", async () => {
  const html = await htmlOf(
    table(["Name", { label: "Size", isNumber: true }, "End"], [["a", 1, "x"]], "Sizes"),
  );
  expect(html).toContain("<caption>Sizes</caption>");
  expect(html).toContain(
    '<tr><th scope="col" class="">Name</th><th scope="col" class="number">Size</th><th scope="col" class="">End</th></tr>',
  );
  expect(html).toContain(
    '<tbody><tr><th scope="row">a</th><td class="number">1</td><td class="">x</td></tr></tbody>',
  );
});

test("there is a link to the next page until the end", async () => {
  expect(await htmlOf(pager("/admin/runs?before=7"))).toContain('<a href="/admin/runs?before=7" rel="next">');
  expect(await htmlOf(pager(undefined))).toBe("");
});

test("a link that leads nowhere is text", async () => {
  expect(await htmlOf(link("/admin", 7))).toBe('<a href="/admin">7</a>');
  expect(await htmlOf(link(undefined, "<7>"))).toBe("&lt;7&gt;");
});

test("what is left out is plain", async () => {
  expect(await htmlOf(badge("skipped"))).toBe('<span class="badge plain">skipped</span>');
  expect(await htmlOf(badge("failed", "bad"))).toBe('<span class="badge bad">failed</span>');
  expect(await htmlOf(button("Ask now"))).toBe('<button type="submit" class="plain">Ask now</button>');
  expect(await htmlOf(facts([["Name", "<value>"]]))).toBe(
    '<dl class="facts "><div><dt>Name</dt><dd>&lt;value&gt;</dd></div></dl>',
  );
  expect(await htmlOf(section("Runs", badge("x")))).toMatch(/^<section .*<h2>Runs<\/h2><\/div><span/);
});

test("text of others is cut at its characters, not in the middle of one", async () => {
  expect(await htmlOf(untrusted("abc", 3))).toBe("<bdi>abc</bdi>");
  expect(await htmlOf(untrusted("abcd", 3))).toBe("<bdi>abc…</bdi>");
  expect(await htmlOf(untrusted("😀😀😀", 3))).toBe("<bdi>😀😀😀</bdi>");
  expect(await htmlOf(untrusted("😀😀😀😀", 3))).toBe("<bdi>😀😀😀…</bdi>");
  expect(await htmlOf(untrusted("x".repeat(121)))).toBe(`<bdi>${"x".repeat(120)}…</bdi>`);
});

test.each([
  ["a\u0000b", String.raw`a\u{0}b`],
  ["a\u202eb", String.raw`a\u{202e}b`],
  ["a\u200db", String.raw`a\u{200d}b`],
  ["a\u2028b", String.raw`a\u{2028}b`],
  ["a\ud800b", String.raw`a\u{d800}b`],
  ["a\ue000b", String.raw`a\u{e000}b`],
  ["a\u2800b", String.raw`a\u{2800}b`],
  ["a\u3164b", String.raw`a\u{3164}b`],
  // Three marks on a letter are somebody's language.
  ["a\u0301\u0302\u0303\u0304b", String.raw`a\u{304}b`.replace("a", "a\u0301\u0302\u0303")],
])("what nobody can see in %j is spelled out", async (text, shown) => {
  expect(await htmlOf(untrusted(text))).toBe(`<bdi>${shown}</bdi>`);
});

test("every form has a field with its token", async () => {
  expect(await htmlOf(hidden('"token"'))).toBe(
    '<input type="hidden" name="csrf" value="&quot;token&quot;" />',
  );
});

test("a button and a badge have the colour of what they are for", async () => {
  for (const kind of ["primary", "plain", "danger"] as const)
    expect(await htmlOf(button("<End>", kind))).toBe(
      `<button type="submit" class="${kind}">&lt;End&gt;</button>`,
    );
  for (const kind of ["good", "warning", "bad", "plain"] as const)
    expect(await htmlOf(badge("<on>", kind))).toBe(`<span class="badge ${kind}">&lt;on&gt;</span>`);
});

test("facts may be as wide as the page", async () => {
  const pairs = [
    ["Name", "a"],
    ["Size", 7],
  ] as const;
  expect(await htmlOf(facts(pairs, "wide"))).toBe(
    '<dl class="facts wide"><div><dt>Name</dt><dd>a</dd></div><div><dt>Size</dt><dd>7</dd></div></dl>',
  );
});

test("a section may have something beside its heading", async () => {
  expect(await htmlOf(section("Runs", badge("x"), badge("y")))).toBe(
    '<section class="sheet"><div class="head"><h2>Runs</h2><span class="badge plain">y</span></div><span class="badge plain">x</span></section>',
  );
});

test("what is soft, to be copied or in the manual is marked as such, and is text", async () => {
  expect(await htmlOf(soft("<none>"))).toBe('<span class="none">&lt;none&gt;</span>');
  expect(await htmlOf(toCopy("Codex", 'url = "<x>"'))).toBe(
    '<div class="copy" data-name="Codex"><pre tabindex="0">url = &quot;&lt;x&gt;&quot;</pre></div>',
  );
  expect(await htmlOf(manual("docs/operate.md", "Cleanup"))).toBe(
    '<span class="manual"><code>docs/operate.md</code>, “Cleanup”</span>',
  );
});

test("the next page is a part of the navigation", async () => {
  expect(await htmlOf(pager("/x?a=1&b=2"))).toBe(
    '<nav class="pager" aria-label="Pages"><a href="/x?a=1&amp;b=2" rel="next">Next page</a></nav>',
  );
});

test.each([
  ["a control", "\u007f", "7f"],
  ["a mark of direction", "\u2066", "2066"],
  ["half of a pair", "\udfff", "dfff"],
  ["a private character", "\u{f0000}", "f0000"],
  ["a character that is not assigned", "\u0378", "378"],
  ["an end of a line", "\u2028", "2028"],
  ["an end of a paragraph", "\u2029", "2029"],
  ["a mark that is left out when it is shown", "\ufe0f", "fe0f"],
  ["an empty pattern of Braille", "\u2800", "2800"],
])("%s is spelled out, and only it", async (_what, character, code) => {
  expect(await htmlOf(untrusted(`Zoë ${character}Ж9 ${character}漢!`))).toBe(
    `<bdi>Zoë \\u{${code}}Ж9 \\u{${code}}漢!</bdi>`,
  );
});

test("of marks on one letter the fourth and all after it are spelled out", async () => {
  const marks = "\u0301\u0302\u0303";
  expect(await htmlOf(untrusted(`abc${marks}d`))).toBe(`<bdi>abc${marks}d</bdi>`);
  expect(await htmlOf(untrusted(`a${marks}\u0304\u0305b`))).toBe(`<bdi>a${marks}\\u{304}\\u{305}b</bdi>`);
});
