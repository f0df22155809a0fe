// The sign-in without its limits of a minute, for tests that send more than a person does. test/browser/limits.test.ts has
// the limits themselves.
import { writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { experimental_readRawConfig as readRawConfig } from "wrangler";

// More than any test sends.
const LIMIT = 1_000_000;

/** The same configuration but for its limits, in a folder of its own. Returns its path. */
export function unlimited(config: string, folder: string): string {
  const { rawConfig } = readRawConfig({ config });
  const path = join(folder, "unlimited.json");
  const ratelimits = (rawConfig.ratelimits ?? []).map((one: object) => ({
    ...one,
    simple: { limit: LIMIT, period: 60 },
  }));
  const main = resolve(dirname(config), rawConfig.main ?? "");
  writeFileSync(path, JSON.stringify({ ...rawConfig, main, ratelimits }));
  return path;
}
