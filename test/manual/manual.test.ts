// What the manual shows is true: its programs are files that the tests run, its links lead somewhere, its JSON parses.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { codeBlocks, manualFiles, withSnippets } from "../../dev/manual.ts";

const files = manualFiles();
const textOf = (file: string) => readFileSync(file, "utf8");
const hasReference = existsSync("docs/reference");

// Programs, as opposed to shell lines, configurations, SQL, diagrams and output.
const PROGRAMS = ["ts", "js", "py", "python"];

// Words that house rules forbid, because readers did not understand them.
const BANNED = [
  /\bwhoever\b/i,
  /\bhalf a character\b/i,
  /\bunder way\b/i,
  /\btrust(s|ed|ing)? (a|the|its|of) sessions?\b/i,
  /\bnotes? a (use|run)\b/i,
  /\bis (an event late|truer)\b/i,
  /\bsays nothing but\b/i,
];

/** The anchors of a page, as GitHub makes them of headings and HTML ids. */
function anchorsOf(markdown: string): Set<string> {
  const prose = withoutCode(markdown);
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ""] of prose.matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[`*]/g, "");
    const slug = plain
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  for (const [, id = ""] of prose.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

const withoutCode = (markdown: string) => markdown.replaceAll(/^```[\s\S]*?^```$/gm, "");

/** Relative links of a page, with the file that each leads to. */
function linksOf(file: string): { link: string; target: string; anchor: string | undefined }[] {
  const prose = withoutCode(textOf(file)).replaceAll(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/i.test(link))
    .map((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? file : join(dirname(file), path).replaceAll("\\", "/");
      return { link, target, anchor };
    });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // The test shows the block.
  }
}

describe.each(files)("%s", (file) => {
  test("shows programs as their files are", () => {
    const text = textOf(file);
    expect(withSnippets(text), "Run npm run docs").toBe(text);
    const homeless = codeBlocks(text).filter(
      (block) => PROGRAMS.includes(block.language) && block.file === undefined,
    );
    expect(
      homeless,
      "A program must name its file, ```ts file=examples/…, so that the tests can run it",
    ).toEqual([]);
  });

  test("has links that lead somewhere", () => {
    const broken = linksOf(file).filter(({ target, anchor }) => {
      if (target.startsWith("docs/reference") && !hasReference) return false;
      if (!existsSync(target)) return true;
      return anchor !== undefined && target.endsWith(".md") && !anchorsOf(textOf(target)).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  test("has JSON that parses", () => {
    const blocks = codeBlocks(textOf(file)).filter(({ language }) => language === "json");
    expect(blocks.filter(({ text }) => !isJson(text))).toEqual([]);
  });

  test("has none of the words that readers did not understand", () => {
    const prose = withoutCode(textOf(file)).replaceAll(/`[^`\n]*`/g, "");
    expect(BANNED.filter((word) => word.test(prose))).toEqual([]);
  });
});

test("README.md has at most 200 lines", () => {
  expect(textOf("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(200);
});

test("every page of docs/ can be reached from README.md", () => {
  const reached = new Set<string>(["README.md"]);
  for (const file of reached) {
    if (!file.endsWith(".md") || !existsSync(file)) continue;
    for (const { target } of linksOf(file)) reached.add(target);
  }
  expect(files.filter((file) => file.startsWith("docs/") && !reached.has(file))).toEqual([]);
});

test("every example has a test", () => {
  const tests = ["test/examples", "test/e2e", "test/browser"]
    .flatMap((folder) => readdirSync(folder).map((name) => textOf(join(folder, name))))
    .join("\n");
  const examples = readdirSync("examples", { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    // test/package/examples.test.ts finds the projects that use the package.
    .filter((name) => name.endsWith(".ts") && !/\/(src|test)\//.test(name))
    // A Worker of its own is one program, of several files.
    .map((name) => (existsSync(join("examples", dirname(name), "wrangler.toml")) ? dirname(name) : name));
  expect(examples.filter((name) => !tests.includes(`examples/${name}`) && !tests.includes(name))).toEqual([]);
});

test("dependencies.md says of each package why it is here", () => {
  const { dependencies, devDependencies } = JSON.parse(textOf("package.json")) as Record<string, object>;
  const page = textOf("docs/dependencies.md");
  const packages = Object.keys({ ...dependencies, ...devDependencies });
  expect(packages.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test("the map of architecture.md has every file of src, dev and drizzle", () => {
  const map = textOf("docs/architecture.md");
  const programs = ["src", "dev", "drizzle"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts")),
  );
  const names = programs
    // The author's room may hold anything, and the generator has a file for each page.
    .filter((name) => !/^(src\/server|dev\/reference)\//.test(name))
    .map((name) => name.split("/").at(-1) ?? "");
  expect(names.filter((name) => !map.includes(name))).toEqual([]);
});
