// docs/deploy.md, line by line: each command of it is run as it stands there, in its order, by one reader.
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { codeBlocks } from "../../dev/manual.ts";
import type { Deployment, Script, Version } from "./api.ts";
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

/** Runs a line that asks the Worker, which is on no network: `fetch` does it. */
async function curl(line: string, { url }: RunningWorker): Promise<Record<string, unknown>> {
  expect(commands, "docs/deploy.md does not have this line").toContain(line);
  tried.add(line);
  const headers = [...line.matchAll(/-H (["'])(.*?)\1/g)].map(([, , header = ""]) => {
    const [name = "", value = ""] = header.replace("$KEY1", keys.monitor).split(": ");
    return [name, value] as [string, string];
  });
  const [, path = ""] = /"\$WORKER(.*)"$/.exec(line) ?? [];
  return (await (await fetch(`${url}${path}`, { headers })).json()) as Record<string, unknown>;
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
  expect(await curl('curl "$WORKER/healthz"', worker)).toEqual({ status: "ok" });
  const health = await curl('curl -H "Authorization: Bearer $KEY1" "$WORKER/session-health"', worker);
  const shown = blocks
    .filter(({ language }) => language === "json")
    .map(({ text }) => JSON.parse(text) as object);
  expect(shown).toEqual([{ ...health, timestamp: expect.any(String) }]);
});

test("a changed secret is a version of its own, and nothing else changes", async () => {
  const before = deployedVersion(cloudflare);
  const changed = `alice:mcp:another-key-0123456789abcdef monitor:health:${keys.monitor}`;
  await run("npx wrangler secret put API_KEYS", {}, `${changed}\n`);
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

const traffic = (): Deployment | undefined => scriptOf().deployments.at(-1);
const newest = () => scriptOf().versions.at(-1) as Version;

test("a gradual upgrade: a version that only its id reaches, then a part of the requests, then all", async () => {
  const { id: OLD_ID } = deployedVersion(cloudflare);
  const uploaded = await run("npx wrangler versions upload");
  expect(traffic()).toEqual({ [OLD_ID]: 100 });
  const { id: NEW_ID } = newest();
  expect(uploaded.output).toContain(NEW_ID);
  expect((await run("npx wrangler deployments list")).output).toContain(OLD_ID);

  const ids = { NEW_ID, OLD_ID };
  await run("npx wrangler versions deploy NEW_ID@0% OLD_ID@100%", ids);
  expect(traffic()).toEqual({ [NEW_ID]: 0, [OLD_ID]: 100 });
  const other = await startWorkerd(runnable(newest()), databases.neon.port);
  try {
    const health = await curl(
      `curl -H "Authorization: Bearer $KEY1" -H 'Cloudflare-Workers-Version-Overrides: mcp-sessions="NEW_ID"' "$WORKER/session-health?write=1&verbose=1"`,
      other,
    );
    expect(health).toMatchObject({ status: "healthy", worker: { version_id: NEW_ID } });
  } finally {
    await other.stop();
  }
  await run("npx wrangler versions deploy NEW_ID@10% OLD_ID@90%", ids);
  expect(traffic()).toEqual({ [NEW_ID]: 10, [OLD_ID]: 90 });
  await run("npx wrangler versions deploy NEW_ID@100%", ids);
  expect(traffic()).toEqual({ [NEW_ID]: 100 });
  await run("npx wrangler triggers deploy");
});

test("going back: to the version before, or to one by its id", async () => {
  const [first] = scriptOf().versions.map(({ id }) => id);
  const latest = deployedVersion(cloudflare).id;
  // Not one where two versions had a part.
  const whole = scriptOf().deployments.filter((deployment) => Object.keys(deployment).length === 1);
  await run("npx wrangler rollback");
  expect(traffic()).toEqual(whole.at(-2));
  const { output } = await run("npx wrangler versions list");
  expect(output).toContain(first);
  await run("npx wrangler rollback VERSION_ID", { VERSION_ID: first ?? "" });
  expect(traffic()).toEqual({ [first ?? ""]: 100 });
  // And forward again.
  await run("npm run deploy");
  expect(deployedVersion(cloudflare).id).not.toBe(latest);
});

test("an environment has its own Worker, crons, secrets and KV namespace, and leaves production alone", async () => {
  const [environment] = blocks.filter(({ language }) => language === "toml");
  project.append("wrangler.toml", `\n${environment?.text}`);
  const staging = await databases.create();
  await staging.migrate();
  project.write(".dev.vars.staging", secretsFile(staging.url));
  const production = structuredClone(scriptOf().deployments);
  await run("npx wrangler deploy --env staging --secrets-file .dev.vars.staging");
  expect(scriptOf().deployments).toEqual(production);

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
  expect(scriptOf().deployments).toHaveLength(production.length + 1);
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
