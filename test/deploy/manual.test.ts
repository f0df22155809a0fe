// docs/deploy.md, line by line: each command of it is run as it stands there, in its order, by one reader.
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { codeBlocks } from "../../dev/manual.ts";
import type { Script } from "./account.ts";
import { type Cloudflare, startCloudflare } from "./cloudflare.ts";
import { type Database, type DeployDatabase, startDatabase } from "./database.ts";
import { deployedVersion, keys, NAME, runnable, secretsFile } from "./deployed.ts";
import { createProject, type Outcome, type Project } from "./project.ts";
import { type RunningWorker, startWorkerd } from "./workerd.ts";

const blocks = codeBlocks(readFileSync("docs/deploy.md", "utf8"));
const commands = blocks
  .filter(({ language, text }) => language === "sh" && !text.startsWith("DATABASE_URL=postgresql:"))
  .flatMap(({ text }) => text.trim().split("\n"));

// What only a person, another service or a checkout with a remote can do.
const ELSEWHERE = [
  "npx wrangler login",
  "git pull",
  "npm ci",
  "npx neon branches create --name staging --schema-only",
  "npx neon connection-string staging",
  "npx neon branches delete staging",
];
const tried = new Set(ELSEWHERE);

let cloudflare: Cloudflare;
let databases: DeployDatabase;
let database: Database;
let project: Project;
let worker: RunningWorker | undefined;
beforeAll(async () => {
  databases = await startDatabase();
  database = await databases.create();
  cloudflare = await startCloudflare();
  project = createProject(cloudflare, { hasTestServer: true });
});
afterAll(async () => {
  await worker?.stop();
  project?.remove();
  await cloudflare?.close();
  await databases?.stop();
});
afterEach(() => expect(cloudflare.unknown, "Requests that the stand-in does not know").toEqual([]));

/** Runs a line of the page. `values` are what the reader puts in the place of its capital letters. */
async function run(line: string, values: Record<string, string> = {}, input?: string): Promise<Outcome> {
  expect(commands, "docs/deploy.md does not have this line").toContain(line);
  tried.add(line);
  const given: [string, string][] = Object.entries({ "postgresql://…": database.directUrl, ...values });
  const filled = given.reduce((text, [name, value]) => text.replaceAll(name, value), line);
  const outcome = await project.sh(filled, input === undefined ? {} : { input });
  expect(outcome.code, `${line}\n${outcome.output}`).toBe(0);
  return outcome;
}

const scriptOf = (name = NAME): Script => {
  const script = cloudflare.scripts.get(name);
  if (script === undefined) throw new Error(`${name} is not there`);
  return script;
};

test("the first time: from an empty database to a Worker that answers", async () => {
  project.write(".dev.vars.production", secretsFile(database.url));
  const migrated = await run("DATABASE_URL='postgresql://…' npm run db:migrate");
  expect(migrated.output).toMatch(/0000_baseline/);
  await run("npx wrangler deploy --secrets-file .dev.vars.production");
  worker = await startWorkerd(runnable(deployedVersion(cloudflare)), databases.neon.port);

  // The lines of the shell that say where the Worker is, and with which key.
  for (const line of ["WORKER=https://mcp-sessions.YOUR-SUBDOMAIN.workers.dev", "KEY1=…"]) tried.add(line);
  const curl = async (line: string) => {
    expect(commands).toContain(line);
    tried.add(line);
    const [, header, path = ""] = /^curl (?:-H "(.*)" )?"\$WORKER(.*)"$/.exec(line) ?? [];
    const [name = "", value = ""] = header?.replace("$KEY1", keys.monitor).split(": ") ?? [];
    const response = await fetch(
      `${worker?.url}${path}`,
      header === undefined ? {} : { headers: { [name]: value } },
    );
    return (await response.json()) as Record<string, unknown>;
  };
  expect(await curl('curl "$WORKER/healthz"')).toEqual({ status: "ok" });
  const health = await curl('curl -H "Authorization: Bearer $KEY1" "$WORKER/session-health"');
  const shown = blocks
    .filter(({ language }) => language === "json")
    .map(({ text }) => JSON.parse(text) as object);
  expect(shown).toEqual([{ ...health, timestamp: expect.any(String) }]);
});

test("a changed secret is a version of its own, and nothing else changes", async () => {
  const before = deployedVersion(cloudflare);
  await run("npx wrangler secret put API_KEYS", {}, "alice:mcp:another-key-0123456789abcdef\n");
  const after = deployedVersion(cloudflare);
  expect(after.id).not.toBe(before.id);
  expect(after.bindings.find(({ name }) => name === "API_KEYS")?.text).toContain("another-key");
  expect(runnable(after).script).toEqual(runnable(before).script);
});

test("an upgrade: the plan, the migration, the deploy, which keeps the secrets", async () => {
  const [first] = scriptOf().versions;
  const planned = await run("DATABASE_URL='postgresql://…' npm run db:migrate -- --plan");
  expect(planned.output).not.toMatch(/0000_baseline/);
  await run("npm run deploy");
  const version = deployedVersion(cloudflare);
  expect(version.bindings.filter(({ type }) => type === "secret_text")).toHaveLength(2);
  expect(version.bindings.find(({ name }) => name === "API_KEYS")?.text).toContain("another-key");
  expect(cloudflare.namespaces.size).toBe(1);
  expect(runnable(version).script).toEqual(first && runnable(first).script);
});

test("going back: to the version before, or to one by its id", async () => {
  const [first, , third] = scriptOf().versions.map(({ id }) => id);
  const before = scriptOf().deployed.at(-2);
  await run("npx wrangler rollback");
  expect(scriptOf().deployed.at(-1)).toBe(before);
  const { output } = await run("npx wrangler versions list");
  expect(output).toContain(first);
  await run("npx wrangler rollback VERSION_ID", { VERSION_ID: first ?? "" });
  expect(scriptOf().deployed.at(-1)).toBe(first);
  // And forward again.
  await run("npm run deploy");
  expect(scriptOf().deployed).not.toContain(undefined);
  expect(scriptOf().deployed.at(-1)).not.toBe(third);
});

test("an environment has its own Worker, crons, secrets and KV namespace, and leaves production alone", async () => {
  const [environment] = blocks.filter(({ language }) => language === "toml");
  project.append("wrangler.toml", `\n${environment?.text}`);
  const staging = await databases.create();
  await staging.migrate();
  project.write(".dev.vars.staging", secretsFile(staging.url));
  const production = structuredClone(scriptOf().deployed);
  await run("npx wrangler deploy --env staging --secrets-file .dev.vars.staging");
  expect(scriptOf().deployed).toEqual(production);

  const name = "mcp-sessions-staging";
  expect(scriptOf(name).crons).toEqual(["0 * * * *"]);
  const [mine, theirs] = [deployedVersion(cloudflare), deployedVersion(cloudflare, name)];
  const names = ({ bindings }: typeof mine) => bindings.map((binding) => binding.name).toSorted();
  expect(names(theirs)).toEqual(names(mine));
  const valueOf = ({ bindings }: typeof mine, wanted: string, key: string) =>
    bindings.find((binding) => binding.name === wanted)?.[key];
  for (const [binding, key] of [
    ["DATABASE_URL", "text"],
    ["CLEANUP_SLEEP", "namespace_id"],
    ["INITIALIZE_RATE_LIMIT", "namespace_id"],
  ] as const) {
    expect(valueOf(theirs, binding, key)).not.toBe(valueOf(mine, binding, key));
  }
  expect(scriptOf(name).settings["observability"]).toEqual(scriptOf().settings["observability"]);
  expect(runnable(theirs)).toMatchObject({ compatibilityFlags: runnable(mine).compatibilityFlags });

  const other = await startWorkerd(runnable(theirs), databases.neon.port);
  try {
    const health = await fetch(`${other.url}/session-health`, { headers: { "X-API-Key": keys.monitor } });
    expect(health.status).toBe(200);
    expect(await other.cron("0 * * * *")).toEqual({ outcome: "ok" });
  } finally {
    await other.stop();
  }
  await run('npm run deploy -- --env=""');
  expect(scriptOf().deployed).toHaveLength(production.length + 1);
  expect(cloudflare.scripts.size).toBe(2);
});

test("removing it leaves nothing at Cloudflare", async () => {
  // The line of the text, for the environment.
  expect((await project.sh("npx wrangler delete --env staging")).code).toBe(0);
  expect([...cloudflare.scripts.keys()]).toEqual([NAME]);
  await run("npx wrangler delete");
  expect(cloudflare.scripts.size).toBe(0);
  const { output } = await run("npx wrangler kv namespace list");
  const ids = [...cloudflare.namespaces.keys()];
  expect(ids).toHaveLength(2);
  for (const id of ids) {
    expect(output).toContain(id);
    await run("npx wrangler kv namespace delete --namespace-id ID", { ID: id });
  }
  expect(cloudflare.namespaces.size).toBe(0);
});

test("no line of the page was left out", () => {
  expect(commands.filter((line) => !tried.has(line))).toEqual([]);
  expect([...tried].filter((line) => !commands.includes(line))).toEqual([]);
});
