// The versions of a Worker, and its deployments: which of them get the traffic.
import { randomUUID } from "node:crypto";
import * as z from "zod";
import {
  type Account,
  type Call,
  type Deployment,
  NO_SCRIPT,
  Refused,
  type Routes,
  type Script,
  scriptNamed,
  secretsOf,
  shownBindings,
  type Version,
} from "./api.ts";
import { type Binding, readUpload, type Upload } from "./upload.ts";

const deployments = z.object({
  strategy: z.literal("percentage"),
  // Cloudflare takes two at most.
  versions: z
    .array(z.object({ version_id: z.string(), percentage: z.number() }))
    .min(1)
    .max(2),
});

export function versionRoutes(account: Account): Routes {
  const { scripts } = account;
  const addVersion = async (name: string, { request, body, query }: Call): Promise<Version> => {
    const upload = await readUpload(request.headers["content-type"] ?? "", body);
    const before = scripts.get(name)?.versions.at(-1)?.bindings ?? [];
    const version = { id: randomUUID(), upload, bindings: filledIn(upload, before, query) };
    const script: Script = scripts.get(name) ?? {
      versions: [],
      deployments: [],
      crons: [],
      onSubdomain: false,
      hasVersionUrls: false,
      settings: {},
    };
    script.versions.push(version);
    scripts.set(name, script);
    return version;
  };

  return {
    "PUT workers/scripts/:name": async (call) => {
      const [name = ""] = call.parts;
      const version = await addVersion(name, call);
      const script = scriptNamed(account, name);
      script.deployments.push({ [version.id]: 100 });
      script.settings = { observability: version.upload.metadata.observability };
      return {
        id: name,
        etag: version.id,
        deployment_id: version.id,
        startup_time_ms: 1,
        entry_point: "index.js",
      };
    },
    "GET workers/scripts/:name/settings": ({ parts: [name] }) => {
      const script = scriptNamed(account, name);
      return { ...script.settings, bindings: shownBindings(deployedBindings(script)) };
    },
    "GET workers/scripts/:name/secrets": ({ parts: [name] }) =>
      secretsOf(deployedBindings(scriptNamed(account, name))),
    "PUT workers/scripts/:name/secrets": ({ parts: [name], body }) => {
      const script = scriptNamed(account, name);
      const last = script.versions.at(-1);
      if (last === undefined) throw new Refused(404, NO_SCRIPT);
      // Otherwise the secret would deploy what was only uploaded.
      if (script.deployments.at(-1)?.[last.id] === undefined) {
        throw new Refused(400, { code: 10215, message: "The latest version is not deployed" });
      }
      const secret = JSON.parse(body.toString()) as Binding;
      const bindings = [...last.bindings.filter((one) => one.name !== secret.name), secret];
      const version = { ...last, id: randomUUID(), bindings };
      script.versions.push(version);
      script.deployments.push({ [version.id]: 100 });
      return secretsOf([secret])[0];
    },
    "POST workers/scripts/:name/versions": async (call) => {
      const [name = ""] = call.parts;
      scriptNamed(account, name);
      const version = await addVersion(name, call);
      return shown(version, scriptNamed(account, name).versions.length);
    },
    "GET workers/scripts/:name/versions": ({ parts: [name] }) => ({
      items: scriptNamed(account, name)
        .versions.map((version, i) => shown(version, i + 1))
        .toReversed(),
    }),
    "GET workers/scripts/:name/versions/:id": ({ parts: [name, id] }) => {
      const { versions } = scriptNamed(account, name);
      const index = versions.findIndex((version) => version.id === id);
      const version = versions[index];
      if (version === undefined) throw new Refused(404, { code: 10191, message: "No such version." });
      return shown(version, index + 1);
    },
    "GET workers/scripts/:name/deployments": ({ parts: [name] }) => ({
      deployments: scriptNamed(account, name)
        .deployments.toReversed()
        .map((deployment, i) => shownDeployment(deployment, new Date(Date.now() - i))),
    }),
    "POST workers/scripts/:name/deployments": ({ parts: [name], body }) => {
      const script = scriptNamed(account, name);
      const { versions } = deployments.parse(JSON.parse(body.toString()));
      const ids = new Set(versions.map(({ version_id }) => version_id));
      const percentages = versions.reduce((sum, { percentage }) => sum + percentage, 0);
      const areThere = [...ids].every((id) => script.versions.some((version) => version.id === id));
      if (!areThere || ids.size !== versions.length || percentages !== 100) {
        throw new Refused(400, {
          code: 10021,
          message: "Not versions that exist, with 100 percent together",
        });
      }
      script.deployments.push(
        Object.fromEntries(versions.map(({ version_id, percentage }) => [version_id, percentage])),
      );
      return { id: randomUUID(), strategy: "percentage", versions };
    },
  };
}

/** Those of the version that gets most of the traffic. */
function deployedBindings({ versions, deployments: all }: Script): Binding[] {
  const [most] = Object.entries(all.at(-1) ?? {}).toSorted(([, a], [, b]) => b - a);
  return versions.find(({ id }) => id === most?.[0])?.bindings ?? [];
}

const shownDeployment = (deployment: Deployment, createdOn: Date) => ({
  id: randomUUID(),
  source: "wrangler",
  strategy: "percentage",
  author_email: "author@example.com",
  created_on: createdOn.toISOString(),
  versions: Object.entries(deployment).map(([version_id, percentage]) => ({ version_id, percentage })),
});

const shown = ({ id, bindings, upload }: Version, number: number) => ({
  id,
  number,
  metadata: {
    author_email: "author@example.com",
    source: "wrangler",
    created_on: new Date().toISOString(),
  },
  resources: {
    bindings: shownBindings(bindings),
    script: { etag: id, handlers: ["fetch", "scheduled"], last_deployed_from: "wrangler" },
    script_runtime: { compatibility_date: upload.metadata.compatibility_date, usage_model: "standard" },
  },
  startup_time_ms: 1,
});

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
