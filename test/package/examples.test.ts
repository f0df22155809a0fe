// Each example as a user meets it: in an empty folder, with the packed file and the machine's own Node and npm.
import { randomBytes } from "node:crypto";
import {
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalNeon, startLocalNeon } from "../../dev/neon/server.ts";
import { connected, startTestPostgres, type TestPostgres } from "../support/postgres.ts";
import { pack, type Packed, run, succeed } from "./packed.ts";
import { installPython } from "./python.ts";

let packed: Packed;
let postgres: TestPostgres;
let neon: LocalNeon;
beforeAll(async () => {
  packed = await pack();
  postgres = await startTestPostgres({ fsync: "off" });
  neon = await startLocalNeon({ postgres, connectRetries: 0 });
});
afterAll(async () => {
  await neon?.close();
  await postgres?.remove();
  packed?.remove();
});

const password = randomBytes(24).toString("base64url");
const newKey = () => randomBytes(32).toString("base64url");

/** What a user writes into .dev.vars, beside the database. */
const secrets: Record<string, () => Record<string, string>> = {
  worker: () => ({ API_KEYS: `me:mcp:${newKey()}` }),
  "hono-app": () => ({ USER_TOKENS: `'${JSON.stringify({ [newKey()]: "ann", [newKey()]: "ben" })}'` }),
  "cleanup-only": () => ({ API_KEYS: `monitor:health+metrics:${newKey()}` }),
  "sign-in": () => ({ API_KEYS: `ann:mcp:${newKey()} ben:mcp+admin:${newKey()}` }),
};

const projects = readdirSync("examples").filter((name) => {
  const manifest = join("examples", name, "package.json");
  return existsSync(manifest) && readFileSync(manifest, "utf8").includes('"mcp-sessions":');
});

test("every example that is a project is tried", () => {
  expect(projects).toEqual(Object.keys(secrets).toSorted());
});

/** A copy of the example in an empty folder, with the packed file as its dependency, and a database of its own. */
async function copyOf(name: string): Promise<{ folder: string; remove: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), `mcp-sessions-example-${name}-`));
  cpSync(join("examples", name), folder, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  manifest.dependencies["mcp-sessions"] = `file:${packed.file}`;
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));

  const role = name.replaceAll("-", "_");
  const { host, port, user } = postgres;
  const admin = { host, port, user, password: postgres.password };
  await connected({ ...admin, database: "postgres" }, async (client) => {
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
    await client.query(`CREATE DATABASE ${role} OWNER ${role}`);
  });
  const schema = join(folder, "schema.sql");
  if (existsSync(schema)) {
    await connected({ host, port, user: role, password, database: role }, (client) =>
      client.query(readFileSync(schema, "utf8")),
    );
  }
  const variables = {
    DATABASE_URL: `postgresql://${role}:${password}@ep-package.localhost:${port}/${role}`,
    NEON_ENDPOINT_OVERRIDE: neon.endpoint,
    ...secrets[name]?.(),
  };
  const lines = Object.entries(variables).map(([variable, value]) => `${variable}=${value}\n`);
  writeFileSync(join(folder, ".dev.vars"), lines.join(""));
  // Of .dev.vars wrangler takes the secrets alone.
  const override = `[vars]\nNEON_ENDPOINT_OVERRIDE = "${neon.endpoint}"`;
  for (const config of globSync(join(folder, "wrangler*.toml"))) {
    const text = readFileSync(config, "utf8");
    if (text.includes('"DATABASE_URL"')) writeFileSync(config, text.replace("[vars]", override));
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

describe.each(projects)("examples/%s, in an empty folder", (name) => {
  let folder: string;
  let remove: () => void;
  let noPython: string | undefined;
  beforeAll(async () => {
    ({ folder, remove } = await copyOf(name));
    [noPython] = await Promise.all([
      installPython(folder),
      succeed(folder, "npm", "install", "--no-audit", "--no-fund", "--prefer-offline"),
    ]);
  });
  afterAll(() => remove?.());

  test("has its own copies of nothing that must be shared", async () => {
    const listed: { problems?: string[] } = JSON.parse(
      (await run(folder, "npm", "ls", "--all", "--json")).stdout,
    );
    // What npm knows nothing of is Node, which its package has put there.
    expect((listed.problems ?? []).filter((problem) => !problem.startsWith("extraneous: node-"))).toEqual([]);
    const nested = join(folder, "node_modules/mcp-sessions/node_modules");
    expect(existsSync(nested) ? readdirSync(nested) : []).toEqual([]);
  });

  test("gets its tables by npx, and is told to where they are missing", async () => {
    const command = join(folder, "node_modules/.bin/mcp-sessions");
    const before = await run(folder, command, "check");
    expect(before).toMatchObject({ code: 1, stdout: expect.stringContaining("npx mcp-sessions migrate") });
    expect(before.stdout).not.toContain("npm run");
    expect(await succeed(folder, "npx", "mcp-sessions", "migrate")).toContain("0000_baseline");
    expect(await succeed(folder, command, "migrate")).toContain("The database is up to date.");
    expect(await succeed(folder, command, "check")).toContain("The Worker can work with this database");
  });

  test("its command refuses what it does not know", async () => {
    const command = join(folder, "node_modules/.bin/mcp-sessions");
    const refused = await run(folder, command, "drop");
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("npx mcp-sessions check") });
    expect(await run(folder, command, "migrate", "--plam")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Usage: npx mcp-sessions migrate [--plan]"),
    });
  });

  test("type-checks, and passes its own test under wrangler", async ({ skip }) => {
    await succeed(folder, "npm", "run", "typecheck");
    const { code, stdout, stderr } = await run(folder, "npm", "test");
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).toMatch(/^(ℹ|#) fail 0$/m);
    // What needs no Python has passed.
    if (noPython !== undefined) skip(noPython);
    expect(stdout).toMatch(/^(ℹ|#) skipped 0$/m);
  });
});
