// One account at Cloudflare, in memory: what it keeps, and its answer for each route that the commands of docs/deploy.md use.
import { randomUUID } from "node:crypto";
import { type Account, NO_SERVICE, Refused, type Routes, scriptNamed } from "./api.ts";
import { versionRoutes } from "./versions.ts";

export function routesOf(account: Account): Routes {
  const { scripts, namespaces } = account;
  return {
    ...versionRoutes(account),
    "GET workers/services/:name": ({ parts: [name] }) => {
      const script = scriptNamed(account, name, NO_SERVICE);
      return {
        id: name,
        default_environment: {
          environment: "production",
          script: { last_deployed_from: "wrangler", tag: name },
        },
        versions: script.versions.length,
      };
    },
    "PATCH workers/scripts/:name/script-settings": ({ parts: [name], body }) =>
      Object.assign(scriptNamed(account, name).settings, JSON.parse(body.toString())),
    "GET workers/workers/:name": ({ parts: [name] }) => {
      const { onSubdomain, hasVersionUrls, settings } = scriptNamed(account, name);
      return {
        id: name,
        name,
        subdomain: { enabled: onSubdomain, previews_enabled: hasVersionUrls },
        logpush: false,
        tags: [],
        tail_consumers: [],
        references: {},
        ...settings,
      };
    },
    "POST workers/scripts/:name/subdomain": ({ parts: [name], body }) => {
      const script = scriptNamed(account, name);
      const wanted = JSON.parse(body.toString()) as { enabled: boolean; previews_enabled?: boolean };
      script.onSubdomain = wanted.enabled;
      // Nobody has said, so they follow the other one.
      script.hasVersionUrls = wanted.previews_enabled ?? wanted.enabled;
      return { enabled: script.onSubdomain, previews_enabled: script.hasVersionUrls };
    },
    "PUT workers/scripts/:name/schedules": ({ parts: [name], body }) => {
      const schedules = JSON.parse(body.toString()) as { cron: string }[];
      scriptNamed(account, name).crons = schedules.map(({ cron }) => cron);
      return { schedules };
    },
    "GET workers/subdomain": () => ({ subdomain: "example" }),
    "GET workers/scripts/:name/references": () => ({}),
    "GET workers/tails/by-consumer/:name": () => [],
    "DELETE workers/services/:name": ({ parts: [name = ""] }) => {
      scriptNamed(account, name, NO_SERVICE);
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
