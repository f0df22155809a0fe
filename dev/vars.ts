// .dev.vars: made from its example on the first run, afterwards only read.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { Failure } from "./failure.ts";

export type Vars = Readonly<Record<string, string>>;

/** What `npm run dev` needs to know about .dev.vars. */
export interface DevVars {
  vars: Vars;
  /** Of a real Neon database; undefined when there is none, or another is used. */
  databaseUrl: string | undefined;
  apiKeys: string;
  wasMade: boolean;
}

/** An entry for API_KEYS with every scope and a key of 256 random bits. */
export function generateApiKeys(): string {
  return `dev:health+metrics+mcp+admin:${randomBytes(32).toString("base64url")}`;
}

/** The example with its empty API_KEYS filled in; everything else stays as it is. */
export function fillExample(example: string, apiKeys: string): string {
  if (!/^API_KEYS=\s*$/m.test(example))
    throw new Failure(".dev.vars.example has no empty API_KEYS= to fill in.");
  return example.replace(/^API_KEYS=[^\S\n]*$/m, () => `API_KEYS=${apiKeys}`);
}

/**
 * Reads .dev.vars of `folder`, making it first when it is not there.
 * @param usesOther another database than that of DATABASE_URL is used
 * @throws Failure when it has no API_KEYS or an unusable DATABASE_URL
 */
export function openVars(folder: string, usesOther = false): DevVars {
  const path = join(folder, ".dev.vars");
  const wasMade = !existsSync(path);
  if (wasMade) {
    const example = readFileSync(join(folder, ".dev.vars.example"), "utf8");
    // wx: a file that someone made since is theirs.
    writeFileSync(path, fillExample(example, generateApiKeys()), { flag: "wx", mode: 0o600 });
  }
  const vars = readVars(folder);
  const apiKeys = vars["API_KEYS"];
  if (!apiKeys) {
    throw new Failure(
      `.dev.vars has no API_KEYS. Add this line, made for you just now:\n\nAPI_KEYS=${generateApiKeys()}`,
    );
  }
  return { vars, databaseUrl: usesOther ? undefined : remoteDatabaseUrl(vars), apiKeys, wasMade };
}

/** The variables of .dev.vars; none when there is no such file. */
export function readVars(folder: string): Vars {
  const path = join(folder, ".dev.vars");
  if (!existsSync(path)) return {};
  const parsed = Object.entries(parseEnv(readFileSync(path, "utf8")));
  return Object.fromEntries(parsed.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** @throws Failure when DATABASE_URL is set to something that is not a connection string, without repeating it */
export function remoteDatabaseUrl(vars: Vars): string | undefined {
  const value = vars["DATABASE_URL"];
  if (!value) return undefined;
  const url = URL.parse(value);
  if (url === null || !["postgres:", "postgresql:"].includes(url.protocol)) {
    throw new Failure(
      "DATABASE_URL in .dev.vars must be a connection string, postgresql://role:password@host/database, or empty " +
        "for the embedded PostgreSQL.",
    );
  }
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (isLocal && !vars["NEON_ENDPOINT_OVERRIDE"]) {
    throw new Failure(
      "DATABASE_URL in .dev.vars is a local PostgreSQL, which the Worker cannot reach: it speaks to Neon over HTTP. " +
        "Leave it empty for the embedded PostgreSQL, or run npm run dev -- --database URL.",
    );
  }
  return value;
}

/** The first key of API_KEYS that has `scope` and is written out; a hashed one cannot be shown. */
export function keyWithScope(apiKeys: string, scope: string): string | undefined {
  for (const entry of apiKeys.split(/[\s,]+/)) {
    const [, scopes, key] = entry.split(":");
    if (scopes?.split("+").includes(scope) && key && !key.startsWith("sha256=")) return key;
  }
  return undefined;
}
