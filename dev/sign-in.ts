// The Worker of examples/sign-in beside the main one, for `npm run dev -- --sign-in`.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { experimental_readRawConfig as readRawConfig } from "wrangler";
import type { Vars } from "./vars.ts";
import type { WorkerOptions } from "./worker.ts";

const CONFIG = "wrangler.toml";
const SIGN_IN_CONFIG = "examples/sign-in/wrangler.toml";

export interface SignInPlaces {
  /** Where the main Worker is, and where the sign-in is to be. */
  port: number;
  signInPort: number;
  /** What is written goes here: the state of the sign-in, and what both need to find each other. */
  folder: string;
  apiKeys: string;
}

export interface SignInOptions {
  signIn: Omit<WorkerOptions, "inspectorPort" | "foreign"> & { stateDir: string; config: string };
  main: Required<Pick<WorkerOptions, "config" | "registryDir">> & { vars: Vars };
}

/** How both Workers are to be launched. The main one gets its own configuration, and a binding to the other. */
export function prepareSignIn({ port, signInPort, folder, apiKeys }: SignInPlaces): SignInOptions {
  const issuer = `http://127.0.0.1:${signInPort}`;
  const registryDir = resolve(folder, "registry");
  const { rawConfig: signIn } = readRawConfig({ config: SIGN_IN_CONFIG });
  const { rawConfig: main } = readRawConfig({ config: CONFIG });
  const binding = { binding: "AUTHORIZATION_SERVER", service: signIn.name };
  mkdirSync(folder, { recursive: true });
  const config = resolve(folder, "wrangler.json");
  writeFileSync(
    config,
    JSON.stringify(relocated({ ...main, services: [...(main.services ?? []), binding] })),
  );
  return {
    signIn: {
      port: signInPort,
      config: SIGN_IN_CONFIG,
      stateDir: resolve(folder, "state"),
      registryDir,
      secrets: { API_KEYS: apiKeys },
      // A client may call this machine by either name, and a token is for one address.
      vars: {
        SIGN_IN_URL: issuer,
        MCP_URL: `http://127.0.0.1:${port}/mcp http://localhost:${port}/mcp`,
      },
    },
    main: { config, registryDir, vars: { OAUTH_ISSUERS: issuer } },
  };
}

/** A configuration that says the same in another folder. */
function relocated<Config extends { main?: string; alias?: Record<string, string> }>(config: Config): Config {
  const from = dirname(resolve(CONFIG));
  const placed = (path: string) => (path.startsWith(".") ? join(from, path) : path);
  return {
    ...config,
    ...(config.main !== undefined && { main: join(from, config.main) }),
    ...(config.alias !== undefined && {
      alias: Object.fromEntries(Object.entries(config.alias).map(([name, path]) => [name, placed(path)])),
    }),
  };
}
