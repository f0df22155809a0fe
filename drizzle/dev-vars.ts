// Reads .dev.vars as wrangler does, and refuses what its author cannot have meant. What it says names the file, the line and
// the variable, and never a value.
import { lstatSync, readFileSync, type Stats, statSync } from "node:fs";
import { basename } from "node:path";

export type DevVars = Readonly<Record<string, string>>;

/** What is wrong with the file. */
export class DevVarsError extends Error {
  override name = "DevVarsError";
}

/** Names that must be spelt like this. */
const SECRETS = ["DATABASE_URL", "API_KEYS", "NEON_ENDPOINT_OVERRIDE"];

/**
 * @param known the names of variables: one that differs only in case or in hyphens is refused
 * @returns undefined when there is no such file
 * @throws DevVarsError
 */
export function readDevVars(path: string, known: readonly string[] = SECRETS): DevVars | undefined {
  const name = basename(path);
  const bytes = bytesOf(path, name);
  return bytes === undefined ? undefined : parseDevVars(bytes, name, known);
}

function bytesOf(path: string, name: string): Uint8Array | undefined {
  let stats: Stats;
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
    stats = statSync(path);
    // A pipe would be waited for, for ever.
    if (stats.isFile()) return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const reasons: Record<string, string> = {
      ENOENT: "is a link to a file that is not there",
      ELOOP: "is a link to itself",
      EACCES: "cannot be read: this user has no right to",
    };
    throw new DevVarsError(`${name} ${reasons[code] ?? `cannot be read: ${code}`}.`, { cause: error });
  }
  throw new DevVarsError(`${name} is ${stats.isDirectory() ? "a directory" : "no ordinary file"}.`);
}

// dotenv's, in the version that wrangler has (16.3.1, lib/main.js): what it finds is what the Worker gets.
const ENTRY =
  /^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?$/dgm;

/**
 * @param name of the file, for what is said of it
 * @throws DevVarsError
 */
export function parseDevVars(bytes: Uint8Array, name: string, known: readonly string[] = SECRETS): DevVars {
  const text = decoded(bytes, name).replaceAll(/\r\n?/g, "\n");
  const lineAt = (index: number) => text.slice(0, index).split("\n").length;
  const refuse = (index: number, problem: string): never => {
    throw new DevVarsError(`Line ${lineAt(index)} of ${name} ${problem}.`);
  };
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  const control = text.search(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u2028\u2029]/);
  if (control !== -1) refuse(control, "has a NUL or another control character");

  const found = new Map<string, { value: string; index: number }>();
  let end = 0;
  for (const match of text.matchAll(ENTRY)) {
    const [whole, key = "", raw = ""] = match;
    checkBetween(text.slice(end, match.index), end, refuse);
    end = match.index + whole.length;
    const start = match.index + whole.search(/\S/);
    const meant = key.toUpperCase().replaceAll(/[.-]/g, "_");
    // What no room knows may be a secret that has lost its name.
    const shown = known.includes(meant) ? key : "a variable";
    if (shown !== meant && known.includes(meant)) refuse(start, `has ${key}, which must be spelt ${meant}`);
    const rawEnd = match.indices?.[2]?.[1];
    const head = text.slice(start, rawEnd === undefined ? start : rawEnd - raw.trimStart().length);
    const hash = rawEnd === undefined ? text.indexOf("#", start) : rawEnd;
    const problem =
      valueProblem(raw.trim()) ??
      (head.includes("\n") ? "has VALUE on another line than its name" : undefined) ??
      (text[hash] === "#" && hash < end && /\S/.test(text[hash - 1] ?? "") && !isQuoted(raw.trim())
        ? CUT
        : undefined);
    if (problem !== undefined) refuse(start, problem.replace("VALUE", `the value of ${shown}`));
    const value = valueOf(raw);
    const earlier = found.get(key);
    // The last one counts. An empty one before it comes from the example.
    if (earlier !== undefined && earlier.value !== "" && earlier.value !== value) {
      refuse(start, `has ${shown} again, with another value than line ${lineAt(earlier.index)}`);
    }
    found.set(key, { value, index: start });
  }
  checkBetween(text.slice(end), end, refuse);
  return Object.fromEntries([...found].map(([key, { value }]) => [key, value]));
}

// dotenv ends a value there, also without a space before it.
const CUT =
  "has a # in VALUE, which ends it there. Put the value in quotation marks, or a space before a comment";

function decoded(bytes: Uint8Array, name: string): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new DevVarsError(
      `${name} is in UTF-16, as > writes it in PowerShell. Save it as UTF-8: Set-Content -Encoding utf8.`,
    );
  }
  try {
    // It takes off the byte order mark of UTF-8.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new DevVarsError(`${name} is not in UTF-8.`, { cause: error });
  }
}

/** Only blank lines and comments stand between two variables. */
function checkBetween(text: string, start: number, refuse: (index: number, problem: string) => never): void {
  let index = start;
  for (const line of text.split("\n")) {
    if (!/^\s*(?:#.*)?$/.test(line)) {
      refuse(
        index,
        /^\s*(?:set\s|\$env:)/i.test(line)
          ? "is a command of a shell. It must be NAME=value"
          : "must be NAME=value, or a comment that begins with #",
      );
    }
    index += line.length + 1;
  }
}

const isQuoted = (value: string) => /^(?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`)$/.test(value);

function valueProblem(value: string): string | undefined {
  if (/^[“”„‟‘’‚‛«»]/.test(value)) return `has curly quotation marks around VALUE. Write " or '`;
  if (!/^['"`]/.test(value) || isQuoted(value)) return undefined;
  return "has a quotation mark before VALUE that nothing closes, or something behind the one that does";
}

/** dotenv's, too. */
function valueOf(raw: string): string {
  const trimmed = raw.trim();
  const value = trimmed.replaceAll(/^(['"`])([\s\S]*)\1$/gm, "$2");
  return trimmed.startsWith('"')
    ? value.replaceAll(String.raw`\n`, "\n").replaceAll(String.raw`\r`, "\r")
    : value;
}
