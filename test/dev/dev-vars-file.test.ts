// .dev.vars as editors and shells leave it: read as wrangler reads it, or refused with the line, never with a value.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unstable_getVarsForDev as varsOfWrangler } from "wrangler";
import { openVars, readVars } from "../../dev/vars.ts";
import { readDevVars } from "../../drizzle/dev-vars.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dev-vars-file-"));
  path = join(folder, ".dev.vars");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What `wrangler dev` would give to the Worker. */
function byWrangler(): Record<string, unknown> {
  const vars = varsOfWrangler(join(folder, "wrangler.toml"), undefined, {}, undefined, true);
  return Object.fromEntries(
    Object.entries(vars).map(([name, binding]) => [name, "value" in binding ? binding.value : binding]),
  );
}

describe("is read as wrangler reads it:", () => {
  test.each([
    ["API_KEYS=secret", { API_KEYS: "secret" }],
    ["\uFEFFAPI_KEYS=secret", { API_KEYS: "secret" }],
    ["A=1\r\nB=2\r\n", { A: "1", B: "2" }],
    ["A=1\rB=2", { A: "1", B: "2" }],
    ["export API_KEYS=secret", { API_KEYS: "secret" }],
    ["  API_KEYS = secret \t", { API_KEYS: "secret" }],
    ['API_KEYS="secret"', { API_KEYS: "secret" }],
    ["API_KEYS='sec ret'", { API_KEYS: "sec ret" }],
    ["API_KEYS=`secret`", { API_KEYS: "secret" }],
    ["API_KEYS=secret # mine", { API_KEYS: "secret" }],
    ["API_KEYS='sec#ret' # mine", { API_KEYS: "sec#ret" }],
    ['API_KEYS="sec#ret"#mine', { API_KEYS: "sec#ret" }],
    ['A="a\\nb"', { A: "a\nb" }],
    ["A='a\\nb'", { A: "a\\nb" }],
    ["A=a\\nb", { A: "a\\nb" }],
    ['A="a\nb"\nB=c', { A: "a\nb", B: "c" }],
    ["A='it\\'s'", { A: "it\\'s" }],
    ["A=it's", { A: "it's" }],
    ["A=$HOME ${HOME}", { A: "$HOME ${HOME}" }],
    ["A=", { A: "" }],
    ["A=\nB=", { A: "", B: "" }],
    ["A=   # nothing", { A: "" }],
    ["A=\nB='x#y'", { A: "", B: "x#y" }],
    ['A=""', { A: "" }],
    ["A: yes", { A: "yes" }],
    ["A=\nA=2", { A: "2" }],
    ["A=2\nA='2'", { A: "2" }],
    ["# only\n\n\t\n#A=1\n  # more", {}],
    ["", {}],
  ])("%j", (text, expected) => {
    writeFileSync(path, text);
    expect(readDevVars(path)).toEqual(expected);
    expect(byWrangler()).toEqual(expected);
  });
});

const utf16 = (text: string) => Buffer.from(`\uFEFF${text}`, "utf16le");

describe("is refused with the line, although wrangler takes it:", () => {
  test.each([
    ["API_KEYS=sec#ret", "Line 1 of .dev.vars has a # in the value of API_KEYS, which ends it there."],
    ["API_KEYS=#secret", "Line 1 of .dev.vars has a # in the value of API_KEYS"],
    [
      "\n\nDATABASE_URL=postgresql://role:a#secret@ep-x-1.eu.aws.neon.tech/db",
      "Line 3 of .dev.vars has a # in the value of DATABASE_URL",
    ],
    [
      "A=1\nAPI_KEYS=“secret”",
      "Line 2 of .dev.vars has curly quotation marks around the value of API_KEYS. Write \" or '.",
    ],
    ["API_KEYS=‘secret’", "curly quotation marks"],
    [
      'API_KEYS="secret',
      "Line 1 of .dev.vars has a quotation mark before the value of API_KEYS that nothing closes",
    ],
    ["API_KEYS='secret\"", "that nothing closes"],
    ['API_KEYS="secret" more', "something behind the one that does"],
    ['A="1\nAPI_KEYS="secret"', "Line 1 of .dev.vars has a quotation mark before the value of a variable"],
    [
      "API_KEYS=secret\nLOG_LEVEL=debug\nAPI_KEYS=other",
      "Line 3 of .dev.vars has API_KEYS again, with another value than line 1.",
    ],
    ["API_KEYS=secret\nAPI_KEYS=", "Line 2 of .dev.vars has API_KEYS again"],
    ["api_keys=secret", "Line 1 of .dev.vars has api_keys, which must be spelt API_KEYS."],
    ["Database_Url=secret", "must be spelt DATABASE_URL."],
    ["API-KEYS=secret", "must be spelt API_KEYS."],
    ["API_KEYS:\n  secret", "Line 1 of .dev.vars has the value of API_KEYS on another line than its name."],
    ["API_KEYS=\n'secret'", "on another line than its name"],
    ["API_KEYS\n=secret", "on another line than its name"],
    ["secret", "Line 1 of .dev.vars must be NAME=value, or a comment that begins with #."],
    ["API_KEYS secret", "Line 1 of .dev.vars must be NAME=value"],
    ["// secret\nA=1", "Line 1 of .dev.vars must be NAME=value"],
    ["A=1\n; secret", "Line 2 of .dev.vars must be NAME=value"],
    ['{ "API_KEYS": "secret" }', "Line 1 of .dev.vars must be NAME=value"],
    ["A=1\n<<<<<<< secret\nB=2", "Line 2 of .dev.vars must be NAME=value"],
    ["\u200BAPI_KEYS=secret", "Line 1 of .dev.vars must be NAME=value"],
    ["set API_KEYS=secret", "Line 1 of .dev.vars is a command of a shell. It must be NAME=value."],
    ['$env:API_KEYS="secret"', "Line 1 of .dev.vars is a command of a shell."],
    ["export API_KEYS", "Line 1 of .dev.vars must be NAME=value"],
    ["A=1\nAPI_KEYS=sec\0ret", "Line 2 of .dev.vars has a NUL or another control character."],
    ["API_KEYS=sec\u2028ret", "Line 1 of .dev.vars has a NUL or another control character."],
    [utf16("API_KEYS=secret"), ".dev.vars is in UTF-16, as > writes it in PowerShell. Save it as UTF-8"],
    [utf16("API_KEYS=secret").swap16(), ".dev.vars is in UTF-16"],
    [utf16("API_KEYS=secret").subarray(2), "Line 1 of .dev.vars has a NUL"],
    [Buffer.from("API_KEYS=sécret", "latin1"), ".dev.vars is not in UTF-8."],
  ])("%j", (text, words) => {
    writeFileSync(path, text);
    expect(() => readVars(folder)).toThrow(
      expect.objectContaining({
        name: "Failure",
        message: expect.stringMatching(/^(?!.*s[eé]c.?ret)[^\n]+$/),
      }),
    );
    expect(() => readVars(folder)).toThrow(words);
    expect(() => byWrangler()).not.toThrow();
  });
});

const line = fc
  .array(
    fc.constantFrom(
      "A",
      "B",
      "API_KEYS",
      "=",
      ":",
      " ",
      "  ",
      "#",
      "'",
      '"',
      "`",
      "\\",
      "n",
      "x",
      "\n",
      "\r\n",
      "export ",
      "\t",
      "“",
      ".",
    ),
    { maxLength: 14 },
  )
  .map((parts) => parts.join(""));

test("whatever is not refused is what wrangler reads", () => {
  let read = 0;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
      writeFileSync(path, lines.join("\n"));
      let vars: unknown;
      try {
        vars = readDevVars(path);
      } catch {
        return;
      }
      read += 1;
      expect(vars).toEqual(byWrangler());
    }),
    { numRuns: 3000 },
  );
  expect(read).toBeGreaterThan(100);
});

describe("a .dev.vars that is no file", () => {
  const expectRefusal = (words: string) => {
    expect(() => readVars(folder)).toThrow(expect.objectContaining({ name: "Failure", message: words }));
    expect(() => openVars(folder)).toThrow(expect.objectContaining({ name: "Failure", message: words }));
  };

  test("but a directory is refused", () => {
    mkdirSync(path);
    expectRefusal(".dev.vars is a directory.");
  });

  test("but a link to nothing, or to itself, is refused", () => {
    symlinkSync(join(folder, "elsewhere"), path);
    expectRefusal(".dev.vars is a link to a file that is not there.");
    unlinkSync(path);
    symlinkSync(path, path);
    expectRefusal(".dev.vars is a link to itself.");
  });

  test("but a pipe is refused, and not waited for", () => {
    execFileSync("mkfifo", [path]);
    expectRefusal(".dev.vars is no ordinary file.");
  });

  test("but a link to one is read", () => {
    writeFileSync(join(folder, "elsewhere"), "API_KEYS=a");
    symlinkSync(join(folder, "elsewhere"), path);
    expect(readVars(folder)).toEqual({ API_KEYS: "a" });
  });

  test("or is not there, has no variables", () => {
    expect(readVars(folder)).toEqual({});
  });
});
