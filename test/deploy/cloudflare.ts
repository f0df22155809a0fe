// A stand-in for Cloudflare's API, as far as the commands of docs/deploy.md use it: one account, in memory. It is strict. A route
// that is not in its table is refused, and `unknown` names it: another version of wrangler may need another route.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { type Binding, readUpload, type Upload } from "./upload.ts";

export const ACCOUNT = "0123456789abcdef0123456789abcdef";
export const TOKEN = "token-of-the-stand-in";

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

export interface Cloudflare {
  /** For CLOUDFLARE_API_BASE_URL. */
  url: string;
  scripts: Map<string, Script>;
  namespaces: Map<string, string>;
  /** `METHOD path` of what it was asked, with ACCOUNT as `:account`. */
  asked: string[];
  /** What it was asked and does not know. */
  unknown: string[];
  close(): Promise<void>;
}

interface Call {
  parts: string[];
  query: URLSearchParams;
  request: IncomingMessage;
  body: Buffer;
}

/** What the API refuses, with its code. */
class Refused extends Error {
  override name = "Refused";
  readonly status: number;
  readonly errors: { code: number; message: string }[];
  constructor(status: number, ...errors: { code: number; message: string }[]) {
    super(errors[0]?.message);
    this.status = status;
    this.errors = errors;
  }
}

const NO_SCRIPT = { code: 10007, message: "This Worker does not exist on your account." };
const NO_SERVICE = { code: 10090, message: "This service does not exist." };

export async function startCloudflare(): Promise<Cloudflare> {
  const scripts = new Map<string, Script>();
  const namespaces = new Map<string, string>();
  const asked: string[] = [];
  const unknown: string[] = [];

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
      annotations: {},
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
    annotations: {},
    resources: {
      bindings: bindings.map(withoutValue),
      script: { etag: id, handlers: ["fetch", "scheduled"], last_deployed_from: "wrangler" },
      script_runtime: { compatibility_date: upload.metadata.compatibility_date, usage_model: "standard" },
    },
    startup_time_ms: 1,
  });

  const routes: Record<string, (call: Call) => unknown> = {
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
      const others = last.bindings.filter((one) => one.name !== secret.name);
      const version = { ...last, id: randomUUID(), bindings: [...others, secret] };
      script.versions.push(version);
      script.deployed.push(version.id);
      return withoutValue(secret);
    },
    "GET workers/scripts/:name/settings": ({ parts: [name] }) => {
      const script = scriptNamed(name);
      return { ...script.settings, bindings: (versionOf(script)?.bindings ?? []).map(withoutValue) };
    },
    "GET workers/scripts/:name/script-settings": ({ parts: [name] }) => scriptNamed(name).settings,
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
        throw new Refused(400, { code: 10021, message: "One version that exists must get all the traffic." });
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
    "DELETE workers/services/:name": ({ parts: [name = ""] }) => {
      scriptNamed(name, NO_SERVICE);
      scripts.delete(name);
      return null;
    },
    // All of them are on the first page.
    "GET storage/kv/namespaces": ({ query }) =>
      query.get("page") === "1" ? [...namespaces].map(([id, title]) => ({ id, title })) : [],
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
  const known = Object.entries(routes).map(([route, answer]) => ({
    pattern: new RegExp(`^${route.replaceAll(/:\w+/g, "([^/]+)")}$`),
    answer,
  }));

  const answer = async (request: IncomingMessage) => {
    const { pathname, searchParams: query } = new URL(request.url ?? "", "http://stand-in");
    const line = `${request.method} ${pathname.replace(`/client/v4/accounts/${ACCOUNT}/`, "")}`;
    asked.push(line);
    const body = await buffer(request);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      throw new Refused(403, { code: 10000, message: "Authentication error" });
    }
    for (const route of known) {
      const [, ...parts] = route.pattern.exec(line) ?? [];
      if (route.pattern.test(line)) return route.answer({ parts, query, request, body });
    }
    unknown.push(line);
    throw new Refused(404, { code: 7000, message: `No route for ${line}` });
  };

  const server = createServer((request, response) => {
    const send = (status: number, result: unknown, errors: unknown[] = []) =>
      response
        .writeHead(status, { "Content-Type": "application/json" })
        .end(JSON.stringify({ success: errors.length === 0, errors, messages: [], result }));
    answer(request).then(
      (result) => send(200, result),
      (error: unknown) => {
        if (error instanceof Refused) return send(error.status, null, error.errors);
        unknown.push(`${request.method} ${request.url}: ${String(error)}`);
        return send(500, null, [{ code: 10001, message: String(error) }]);
      },
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/client/v4`,
    scripts,
    namespaces,
    asked,
    unknown,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const isSecret = ({ type }: Binding) => type === "secret_text";
/** The API returns no secret. */
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
