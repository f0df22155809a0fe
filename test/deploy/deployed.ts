// A deployed Worker, run as it was uploaded, with keys and a database of the test's own.
import { randomBytes } from "node:crypto";
import type { Version } from "./api.ts";
import { type Cloudflare, startCloudflare } from "./cloudflare.ts";
import { createProject, type Project } from "./project.ts";
import { scriptOf } from "./upload.ts";
import type { Runnable } from "./workerd.ts";

export const NAME = "mcp-sessions";

const newKey = () => randomBytes(32).toString("base64url");
export const keys = {
  alice: newKey(),
  bob: newKey(),
  monitor: newKey(),
  prometheus: newKey(),
  operator: newKey(),
};

export const API_KEYS = [
  `alice:mcp:${keys.alice}`,
  `bob:mcp:${keys.bob}`,
  `monitor:health:${keys.monitor}`,
  `prometheus:metrics:${keys.prometheus}`,
  `operator:admin+health:${keys.operator}`,
].join(",");

export const secretsFile = (databaseUrl: string) => `DATABASE_URL=${databaseUrl}\nAPI_KEYS=${API_KEYS}\n`;

/** What `npm run deploy` uploads the first time, with these secrets. */
export async function deployOnce(
  databaseUrl: string,
  options: { from?: string; hasTestServer?: boolean } = {},
): Promise<Version> {
  const cloudflare = await startCloudflare();
  let project: Project | undefined;
  try {
    project = createProject(cloudflare, options);
    project.write(".dev.vars.production", secretsFile(databaseUrl));
    const { code, output } = await project.sh("npm run deploy -- --secrets-file .dev.vars.production");
    if (code !== 0 || cloudflare.unknown.length > 0) {
      throw new Error([output, ...cloudflare.unknown].join("\n"));
    }
    return deployedVersion(cloudflare);
  } finally {
    project?.remove();
    await cloudflare.close();
  }
}

/** The version that gets all of the traffic. */
export function deployedVersion({ scripts }: Cloudflare, name = NAME): Version {
  const script = scripts.get(name);
  const version = script?.versions.find(({ id }) => script.deployments.at(-1)?.[id] === 100);
  if (version === undefined) throw new Error(`${name} is not deployed`);
  return version;
}

export const runnable = ({ id, upload, bindings }: Version): Runnable => ({
  versionId: id,
  script: scriptOf(upload),
  compatibilityDate: upload.metadata.compatibility_date,
  compatibilityFlags: upload.metadata.compatibility_flags,
  bindings,
});

/** The same Worker with other secrets or variables. */
export const withVariables = (worker: Runnable, variables: Record<string, string>): Runnable => ({
  ...worker,
  bindings: [
    ...worker.bindings.filter(({ name }) => !(name in variables)),
    ...Object.entries(variables).map(([name, text]) => ({ name, type: "secret_text", text })),
  ],
});
