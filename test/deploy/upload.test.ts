// What a deploy uploads: the real wrangler, and a stand-in for Cloudflare's API that keeps what arrives.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { unstable_readConfig as readWranglerConfig } from "wrangler";
import type { Version } from "./api.ts";
import { type Cloudflare, startCloudflare } from "./cloudflare.ts";
import { API_KEYS, deployedVersion, keys, NAME, secretsFile } from "./deployed.ts";
import { createProject, type Outcome, type Project } from "./project.ts";
import { scriptOf, SOURCE_MAP } from "./upload.ts";

// The goal is 288 KiB of the 3 MB that the free plan allows, so that a Worker starts fast.
const LARGEST_GZIP_BYTES = 288 * 1024;
const DATABASE_URL = "postgresql://role:hunter2@ep-name-12345678.eu-central-1.aws.neon.tech/database";
const secrets = ["hunter2", ...Object.values(keys)];

const config = readWranglerConfig({ config: "wrangler.toml" });

let cloudflare: Cloudflare;
let project: Project;
let first: Outcome;
let update: Outcome;
beforeAll(async () => {
  cloudflare = await startCloudflare();
  project = createProject(cloudflare);
  project.write(".dev.vars.production", secretsFile(DATABASE_URL));
  first = await project.sh("npx wrangler deploy --secrets-file .dev.vars.production");
  update = await project.sh("npm run deploy");
});
afterAll(async () => {
  project.remove();
  await cloudflare.close();
});
// Also when wrangler has gone on without the answer.
afterEach(() => expect(cloudflare.unknown, "Requests that the stand-in does not know").toEqual([]));

test("a deploy without the secrets is refused, and names them", async () => {
  const empty = await startCloudflare();
  const fresh = createProject(empty);
  const { code, output } = await fresh.sh("npx wrangler deploy");
  fresh.remove();
  await empty.close();
  expect(code).toBe(1);
  expect(output).toContain("DATABASE_URL, API_KEYS");
  expect(empty.unknown).toEqual([]);
  expect(empty.scripts.size).toBe(0);
  expect(empty.asked.filter((line) => !line.startsWith("GET "))).toEqual([]);
});

test("a deploy ends with the Worker's URL and both crons, and shows no secret", () => {
  for (const { code, output } of [first, update]) {
    expect(code, output).toBe(0);
    expect(output).toContain(`https://${NAME}.example.workers.dev`);
    for (const cron of config.triggers.crons ?? []) expect(output).toContain(`schedule: ${cron}`);
    for (const secret of secrets) expect(output).not.toContain(secret);
  }
});

test("a $ in a password arrives when it is written as docs/deploy.md says", async () => {
  const other = await startCloudflare();
  const fresh = createProject(other);
  const url = DATABASE_URL.replace("hunter2", "pa%24word%23");
  // Two keys, with a space between them.
  fresh.write(".dev.vars.production", `DATABASE_URL=${url}\nAPI_KEYS=${API_KEYS.replaceAll(",", " ")}\n`);
  const { code, output } = await fresh.sh("npx wrangler deploy --secrets-file .dev.vars.production", {
    vars: { word: "EXPANDED" },
  });
  fresh.remove();
  await other.close();
  expect(code, output).toBe(0);
  const arrived = deployedVersion(other).bindings.filter(({ type }) => type === "secret_text");
  expect(arrived.map(({ text }) => text)).toEqual([url, API_KEYS.replaceAll(",", " ")]);
});

test("there is one Worker with both crons, on workers.dev, and one KV namespace, however often it is deployed", () => {
  expect([...cloudflare.scripts.keys()]).toEqual([NAME]);
  const script = cloudflare.scripts.get(NAME);
  expect(script?.crons).toEqual(["*/10 * * * *", "0 * * * *"]);
  expect(script?.onSubdomain).toBe(true);
  expect(script?.versions).toHaveLength(2);
  // At its URL, an old version would answer with its old secrets: also to keys that are no longer good.
  expect(script?.hasVersionUrls).toBe(false);
  expect(script?.deployments).toEqual(script?.versions.map(({ id }) => ({ [id]: 100 })));
  expect([...cloudflare.namespaces.values()]).toEqual([`${NAME}-cleanup-sleep`]);
});

test("what does not belong to a version says that logs are kept, and a tenth of the traces", () => {
  expect(cloudflare.scripts.get(NAME)?.settings["observability"]).toEqual({
    enabled: true,
    redact_query_string: true,
    logs: { enabled: true, head_sampling_rate: 1 },
    traces: { enabled: true, head_sampling_rate: 0.1 },
  });
});

describe.each([
  ["the first deploy", 0],
  ["an update", 1],
])("%s", (_name, index) => {
  const version = () => cloudflare.scripts.get(NAME)?.versions[index] as Version;

  test("has every binding of wrangler.toml, and no other", () => {
    const namespace = [...cloudflare.namespaces.keys()][0];
    const simple = { limit: 120, period: 60 };
    const bindings = version().bindings.toSorted((a, b) => a.name.localeCompare(b.name));
    expect(bindings).toEqual([
      { name: "API_KEYS", type: "secret_text", text: API_KEYS },
      { name: "CF_VERSION_METADATA", type: "version_metadata" },
      { name: "CLEANUP_SLEEP", type: "kv_namespace", namespace_id: namespace },
      { name: "DATABASE_URL", type: "secret_text", text: DATABASE_URL },
      { name: "INITIALIZE_RATE_LIMIT", type: "ratelimit", namespace_id: "1001", simple },
      { name: "MCP_AGGRESSIVE_CLEANUP", type: "plain_text", text: "false" },
      { name: "MCP_IMMEDIATE_CLEANUP_CRON", type: "plain_text", text: "*/10 * * * *" },
      { name: "MCP_REGULAR_CLEANUP_CRON", type: "plain_text", text: "0 * * * *" },
    ]);
  });

  test("has secrets as secrets only: not in a variable, not in the code, not in the source map", () => {
    const { metadata, parts } = version().upload;
    const others = metadata.bindings.filter(({ type }) => type !== "secret_text");
    const places = [
      JSON.stringify({ ...metadata, bindings: others }),
      ...parts.map(({ bytes }) => String(bytes)),
    ];
    for (const place of places) for (const secret of secrets) expect(place.includes(secret)).toBe(false);
  });

  test("has the date and the flags of wrangler.toml", () => {
    const { compatibility_date: date, compatibility_flags: flags } = version().upload.metadata;
    expect({ date, flags }).toEqual({ date: config.compatibility_date, flags: config.compatibility_flags });
    expect(flags).toEqual(["enable_request_signal"]);
  });

  test("has one module, within the size that it may have, and its source map", () => {
    const { parts, metadata } = version().upload;
    const script = scriptOf(version().upload);
    expect(gzipSync(script).length).toBeLessThanOrEqual(LARGEST_GZIP_BYTES);
    const maps = parts.filter(({ type }) => type === SOURCE_MAP);
    expect(maps.map(({ name }) => name)).toEqual([`${metadata.main_module}.map`]);
    const { sources } = JSON.parse(String(maps[0]?.bytes)) as { sources: string[] };
    expect(sources).toContain("src/worker.ts");
    // Of the project and its packages, each by a relative path.
    expect(sources.filter((source) => !/^(src|[^/].*\bnode_modules)\//.test(source))).toEqual([]);
  });

  test("says nothing of the packages that this project is built with", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync("package.json", "utf8")) as Record<
      string,
      object
    >;
    const metadata = JSON.stringify(version().upload.metadata);
    const named = Object.keys({ ...dependencies, ...devDependencies }).filter((name) =>
      metadata.includes(JSON.stringify(name)),
    );
    expect(named).toEqual([]);
  });
});

test("an update sends no secret: it keeps those that are there", () => {
  const [, second] = cloudflare.scripts.get(NAME)?.versions ?? [];
  const sent = second?.upload.metadata.bindings.filter(({ name }) => /^(DATABASE_URL|API_KEYS)$/.test(name));
  expect(sent).toEqual([
    { name: "DATABASE_URL", type: "inherit" },
    { name: "API_KEYS", type: "inherit" },
  ]);
});

test("an update of a Worker whose secret was deleted is refused, and names it", async () => {
  const version = deployedVersion(cloudflare);
  version.bindings = version.bindings.filter(({ name }) => name !== "API_KEYS");
  const { code, output } = await project.sh("npm run deploy");
  expect(code).toBe(1);
  expect(output).toMatch(/required secrets have not been set: API_KEYS/);
  expect(deployedVersion(cloudflare)).toBe(version);
});

describe("a Deploy to Cloudflare button", () => {
  const { scripts, cloudflare: shown } = JSON.parse(readFileSync("package.json", "utf8")) as {
    scripts: Record<string, string>;
    cloudflare: { bindings: Record<string, { description: string }> };
  };

  test("shows a description of every secret, variable and binding that a deploy is given", () => {
    const given = cloudflare.scripts.get(NAME)?.versions[0]?.bindings.map(({ name }) => name);
    expect(given).toEqual(
      expect.arrayContaining([...Object.keys(config.vars), ...(config.secrets?.required ?? [])]),
    );
    expect(Object.keys(shown.bindings).toSorted()).toEqual(given?.toSorted());
    for (const { description } of Object.values(shown.bindings)) expect(description).toMatch(/^\S.*\.$/);
  });

  test("deploys by the script for it, and has nothing to build before", () => {
    // It fills in its fields from these two.
    expect({ build: scripts["build"], deploy: scripts["deploy"] }).toEqual({ deploy: "wrangler deploy" });
    // An id would be one of another account. Without one, the deploy makes the namespace.
    expect(config.kv_namespaces).toEqual([{ binding: "CLEANUP_SLEEP" }]);
  });

  test("has made a Worker with the secrets before it deploys: that needs no file of them", async () => {
    const other = await startCloudflare();
    const fresh = createProject(other);
    try {
      await fresh.sh("mkdir hello");
      fresh.write("hello/index.js", 'export default { fetch: () => new Response("Hello world") };');
      fresh.write(
        "hello/wrangler.toml",
        `name = "${NAME}"\nmain = "index.js"\ncompatibility_date = "2026-10-20"\n`,
      );
      fresh.write("hello/secrets", secretsFile(DATABASE_URL));
      const hello = await fresh.sh(
        "npx wrangler deploy --config hello/wrangler.toml --secrets-file hello/secrets",
      );
      expect(hello.code, hello.output).toBe(0);
      const { code, output } = await fresh.sh(scripts["deploy"] ?? "");
      expect(code, output).toBe(0);
      expect(other.unknown).toEqual([]);
      const { bindings } = deployedVersion(other);
      expect(bindings.map(({ name }) => name).toSorted()).toEqual(Object.keys(shown.bindings).toSorted());
      expect(other.scripts.get(NAME)?.crons).toEqual(config.triggers.crons);
    } finally {
      fresh.remove();
      await other.close();
    }
  });

  test("asks for the required secrets, and for nothing else", () => {
    const example = readFileSync(".dev.vars.example", "utf8");
    const asked = [...example.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => ({ name, value }));
    // It would deploy an example value as it is.
    expect(asked).toEqual(config.secrets?.required?.map((name: string) => ({ name, value: "" })));
  });
});
