// .dev.vars: made from its example on the first run, afterwards only read.
import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DevVars as Vars, DevVarsError, readDevVars } from "../drizzle/dev-vars.ts";
import { ConnectionStringError } from "../src/db/connection-string.ts";
import { readNeonString } from "../src/db/neon-host.ts";
import { rooms } from "../src/env.ts";
import { Failure } from "./failure.ts";

export type { Vars };

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
 * @throws Failure when it cannot be read, has no API_KEYS or an unusable DATABASE_URL
 */
export function openVars(folder: string, usesOther = false): DevVars {
  const path = join(folder, ".dev.vars");
  const wasMade = lstatSync(path, { throwIfNoEntry: false }) === undefined;
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

/** The variables of .dev.vars; none when there is no such file. @throws Failure when it cannot be read */
export function readVars(folder: string): Vars {
  try {
    return readDevVars(join(folder, ".dev.vars"), knownVariables) ?? {};
  } catch (error) {
    if (!(error instanceof DevVarsError)) throw error;
    throw new Failure(error.message, { cause: error });
  }
}

const knownVariables = Object.values(rooms).flatMap(({ shape }) => Object.keys(shape));

/** @throws Failure when DATABASE_URL is set to something that the Worker refuses, without repeating it */
export function remoteDatabaseUrl(vars: Vars): string | undefined {
  const value = vars["DATABASE_URL"];
  if (!value) return undefined;
  try {
    return readNeonString(value, Boolean(vars["NEON_ENDPOINT_OVERRIDE"])).url;
  } catch (error) {
    if (!(error instanceof ConnectionStringError)) throw error;
    throw new Failure(
      `DATABASE_URL in .dev.vars ${error.message}. Leave it empty for the embedded PostgreSQL.`,
      { cause: error },
    );
  }
}

/** The first key of API_KEYS that has `scope` and is written out; a hashed one cannot be shown. */
export function keyWithScope(apiKeys: string, scope: string): string | undefined {
  for (const entry of apiKeys.split(/[\s,]+/)) {
    const [, scopes, key] = entry.split(":");
    if (scopes?.split("+").includes(scope) && key && !key.startsWith("sha256=")) return key;
  }
  return undefined;
}
