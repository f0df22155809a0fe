// One account at Cloudflare, in memory: what it keeps, and its answer for each route that the commands of docs/deploy.md use.
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Binding, readUpload, type Upload } from "./upload.ts";

export interface Version {
  id: string;
  upload: Upload;
  /** Those of the upload, after what it inherits has been filled in. */
  bindings: Binding[];
}

export interface Script {
  versions: Version[];
  /** Ids of versions, the newest deployment last. */
  deployed: string[];
  crons: string[];
  onSubdomain: boolean;
  /** What is not part of a version. */
  settings: Record<string, unknown>;
}

export interface Account {
  scripts: Map<string, Script>;
  /** KV namespaces: the title of each id. */
  namespaces: Map<string, string>;
}

export interface Call {
  parts: string[];
  query: URLSearchParams;
  request: IncomingMessage;
  body: Buffer;
}

/** What the API refuses, with its code. */
export class Refused extends Error {
  override name = "Refused";
  declare readonly status: number;
  declare readonly errors: { code: number; message: string }[];
  constructor(status: number, ...errors: { code: number; message: string }[]) {
    super(errors[0]?.message);
    Object.assign(this, { status, errors });
  }
}

const NO_SCRIPT = { code: 10007, message: "This Worker does not exist on your account." };
const NO_SERVICE = { code: 10090, message: "This service does not exist." };

export type Routes = Record<string, (call: Call) => unknown>;

/** By method and path below the account's own, with `:name` for a part of any value. */
export function routesOf({ scripts, namespaces }: Account): Routes {
  const scriptNamed = (name = "", missing = NO_SCRIPT): Script => {
    const script = scripts.get(name);
    if (script === undefined) throw new Refused(404, missing);
    return script;
  };
  const versionOf = ({ versions, deployed }: Script): Version | undefined =>
    versions.find(({ id }) => id === deployed.at(-1));
  const addVersion = async (name: string, { request, body, query }: Call): Promise<Version> => {
    const upload = await readUpload(request.headers["content-type"] ?? "", body);
    const before = scripts.get(name)?.versions.at(-1)?.bindings ?? [];
    const version = { id: randomUUID(), upload, bindings: filledIn(upload, before, query) };
    const script = scripts.get(name) ?? {
      versions: [],
      deployed: [],
      crons: [],
      onSubdomain: false,
      settings: {},
    };
    script.versions.push(version);
    scripts.set(name, script);
    return version;
  };
  const deploymentsOf = ({ deployed }: Script) =>
    deployed.toReversed().map((version_id, i) => ({
      id: randomUUID(),
      source: "wrangler",
      strategy: "percentage",
      author_email: "author@example.com",
      created_on: new Date(Date.now() - i).toISOString(),
      versions: [{ version_id, percentage: 100 }],
    }));
  const shown = ({ id, bindings, upload }: Version, number: number) => ({
    id,
    number,
    metadata: {
      author_email: "author@example.com",
      source: "wrangler",
      created_on: new Date().toISOString(),
    },
    resources: {
      bindings: bindings.map(withoutValue),
      script: { etag: id, handlers: ["fetch", "scheduled"], last_deployed_from: "wrangler" },
      script_runtime: { compatibility_date: upload.metadata.compatibility_date, usage_model: "standard" },
    },
    startup_time_ms: 1,
  });

  return {
    "GET workers/services/:name": ({ parts: [name] }) => {
      const script = scriptNamed(name, NO_SERVICE);
      return {
        id: name,
        default_environment: {
          environment: "production",
          script: { last_deployed_from: "wrangler", tag: name },
        },
        versions: script.versions.length,
      };
    },
    "GET workers/scripts/:name/secrets": ({ parts: [name] }) =>
      (versionOf(scriptNamed(name))?.bindings ?? []).filter(isSecret).map(withoutValue),
    "PUT workers/scripts/:name/secrets": ({ parts: [name], body }) => {
      const script = scriptNamed(name);
      const last = versionOf(script);
      if (last === undefined) throw new Refused(404, NO_SCRIPT);
      const secret = JSON.parse(body.toString()) as Binding;
      const bindings = [...last.bindings.filter((one) => one.name !== secret.name), secret];
      const version = { ...last, id: randomUUID(), bindings };
      script.versions.push(version);
      script.deployed.push(version.id);
      return withoutValue(secret);
    },
    "GET workers/scripts/:name/settings": ({ parts: [name] }) => {
      const script = scriptNamed(name);
      return { ...script.settings, bindings: (versionOf(script)?.bindings ?? []).map(withoutValue) };
    },
    "PATCH workers/scripts/:name/script-settings": ({ parts: [name], body }) =>
      Object.assign(scriptNamed(name).settings, JSON.parse(body.toString())),
    "PUT workers/scripts/:name": async (call) => {
      const [name = ""] = call.parts;
      const version = await addVersion(name, call);
      const script = scriptNamed(name);
      script.deployed.push(version.id);
      script.settings = { observability: version.upload.metadata.observability };
      return {
        id: name,
        etag: version.id,
        deployment_id: version.id,
        startup_time_ms: 1,
        entry_point: "index.js",
      };
    },
    "POST workers/scripts/:name/versions": async (call) => {
      const [name = ""] = call.parts;
      scriptNamed(name);
      const version = await addVersion(name, call);
      return shown(version, scriptNamed(name).versions.length);
    },
    "GET workers/scripts/:name/versions": ({ parts: [name] }) => ({
      items: scriptNamed(name)
        .versions.map((version, i) => shown(version, i + 1))
        .toReversed(),
    }),
    "GET workers/scripts/:name/versions/:id": ({ parts: [name, id] }) => {
      const { versions } = scriptNamed(name);
      const index = versions.findIndex((version) => version.id === id);
      const version = versions[index];
      if (version === undefined) throw new Refused(404, { code: 10191, message: "No such version." });
      return shown(version, index + 1);
    },
    "GET workers/scripts/:name/deployments": ({ parts: [name] }) => ({
      deployments: deploymentsOf(scriptNamed(name)),
    }),
    "POST workers/scripts/:name/deployments": ({ parts: [name], body }) => {
      const script = scriptNamed(name);
      const { versions } = JSON.parse(body.toString()) as { versions: { version_id: string }[] };
      const [only, ...others] = versions.map(({ version_id: id }) => id);
      if (only === undefined || others.length > 0 || !script.versions.some(({ id }) => id === only)) {
        throw new Refused(400, { code: 10021, message: "Not one version that exists" });
      }
      script.deployed.push(only);
      return { id: randomUUID(), strategy: "percentage", versions };
    },
    "GET workers/workers/:name": ({ parts: [name] }) => {
      const { onSubdomain, settings } = scriptNamed(name);
      return {
        id: name,
        name,
        subdomain: { enabled: onSubdomain, previews_enabled: false },
        logpush: false,
        tags: [],
        tail_consumers: [],
        references: {},
        ...settings,
      };
    },
    "PUT workers/scripts/:name/schedules": ({ parts: [name], body }) => {
      const schedules = JSON.parse(body.toString()) as { cron: string }[];
      scriptNamed(name).crons = schedules.map(({ cron }) => cron);
      return { schedules };
    },
    "POST workers/scripts/:name/subdomain": ({ parts: [name], body }) => {
      const { enabled } = JSON.parse(body.toString()) as { enabled: boolean };
      scriptNamed(name).onSubdomain = enabled;
      return { enabled, previews_enabled: false };
    },
    "GET workers/subdomain": () => ({ subdomain: "example" }),
    "GET workers/scripts/:name/references": () => ({}),
    "GET workers/tails/by-consumer/:name": () => [],
    "DELETE workers/services/:name": ({ parts: [name = ""] }) => {
      scriptNamed(name, NO_SERVICE);
      scripts.delete(name);
      return null;
    },
    // All of them are on the first page.
    "GET storage/kv/namespaces": ({ query }) =>
      (query.get("page") ?? "1") === "1" ? [...namespaces].map(([id, title]) => ({ id, title })) : [],
    "POST storage/kv/namespaces": ({ body }) => {
      const { title } = JSON.parse(body.toString()) as { title: string };
      const id = randomUUID().replaceAll("-", "");
      namespaces.set(id, title);
      return { id, title };
    },
    "DELETE storage/kv/namespaces/:id": ({ parts: [id = ""] }) => {
      if (!namespaces.delete(id)) throw new Refused(404, { code: 10013, message: "namespace not found" });
      return null;
    },
  };
}

const isSecret = ({ type }: Binding) => type === "secret_text";
// The API returns no secret.
const withoutValue = (binding: Binding) =>
  isSecret(binding) ? { name: binding.name, type: binding.type } : binding;

/** @throws Refused when it inherits what the version before does not have. */
function filledIn({ metadata }: Upload, before: Binding[], query: URLSearchParams): Binding[] {
  if (query.get("bindings_inherit") !== "strict") throw new Error("bindings_inherit is not strict");
  const missing: { code: number; message: string }[] = [];
  const bindings = metadata.bindings.flatMap((binding) => {
    if (binding.type !== "inherit") return [binding];
    const inherited = before.find(({ name }) => name === binding.name);
    if (inherited === undefined) {
      missing.push({
        code: 10057,
        message: `inherit binding '${binding.name}' is invalid: not there before`,
      });
    }
    return inherited ?? [];
  });
  if (missing.length > 0) throw new Refused(400, ...missing);
  const kept = before.filter(
    ({ name, type }) =>
      metadata.keep_bindings?.includes(type) && !bindings.some((binding) => binding.name === name),
  );
  return [...bindings, ...kept];
}
