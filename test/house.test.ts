// The shape of the house: which rooms may import which, and what must agree between two places.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { unstable_readConfig as readWranglerConfig } from "wrangler";
import { tierForCron, tierNames } from "../src/cleanup/tiers.ts";

// Imports go down only. Every file of src stands on one floor.
const floors: Record<number, RegExp> = {
  4: /^index\.ts$/,
  3: /^(app|cron|deps)\.ts$/,
  2: /^([a-z]+\/(endpoint|middleware|shared-answers|clean|tools|transport)|request-log|origin|openapi-document)\.ts$/,
  1: /^([a-z]+\/([a-z]+-)?store|db\/[a-z]+|auth|input|openapi)\.ts$/,
  0: /^(env|errors|cleanup\/sleep|schema-vendors|log|api-keys|cleanup\/tiers|db\/fault-kinds|health\/health|metrics\/families|session\/(session|protocol|degraded))\.ts$/,
};

const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
  .map((file) => file.replaceAll("\\", "/"));

const floorOf = (file: string) => Number(Object.entries(floors).find(([, rooms]) => rooms.test(file))?.[0]);

const importsOf = (file: string) =>
  [
    ...readFileSync(join("src", file), "utf8").matchAll(
      /^(?:import|export) (type )?[^;]*?from "(\.[^"]+)";/gm,
    ),
  ].map(([, isType, path]) => ({
    isType: isType !== undefined,
    file: relative("src", join("src", dirname(file), path ?? "")).replaceAll("\\", "/"),
  }));

test.each(files)("src/%s stands on a floor and imports from below only", (file) => {
  const floor = floorOf(file);
  expect(floor).not.toBeNaN();
  for (const imported of importsOf(file)) {
    // On the same floor a file may import another of its own subject, or the type of a neighbour's answer.
    const isNeighbour =
      dirname(imported.file) === dirname(file) || imported.isType || floor === 3 || floor === 0;
    const highest = isNeighbour ? floor : floor - 1;
    expect(floorOf(imported.file), `${file} imports ${imported.file}`).toBeLessThanOrEqual(highest);
  }
});

test("only one file talks to the Neon driver, one to the cron library, one names a log sink", () => {
  const users = (library: string) =>
    files.filter((file) =>
      new RegExp(`^import (?!type )[^;]*from "${library}`, "m").test(readFileSync(join("src", file), "utf8")),
    );
  expect(users("@neondatabase/serverless")).toEqual(["db/client.ts", "db/fault.ts"]);
  expect(users("croner")).toEqual(["cleanup/tiers.ts"]);
  expect(users("@logtape/logtape")).toEqual(["log.ts"]);
});

test("no file of src, dev or drizzle has more than 250 lines", () => {
  const all = ["src", "dev", "drizzle"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
  );
  const long = all.filter(
    (file) =>
      file.endsWith(".ts") && !file.endsWith(".d.ts") && readFileSync(file, "utf8").split("\n").length > 251,
  );
  expect(long).toEqual([]);
});

describe("wrangler.toml", () => {
  const config = readWranglerConfig({ config: "wrangler.toml" });
  const crons = {
    regular: String(config.vars["MCP_REGULAR_CLEANUP_CRON"]),
    immediate: String(config.vars["MCP_IMMEDIATE_CLEANUP_CRON"]),
  };

  test("its triggers are exactly the crons of the tiers", () => {
    expect(config.triggers.crons?.map((cron: string) => tierForCron(cron, crons)).toSorted()).toEqual(
      [...tierNames].toSorted(),
    );
  });

  test("every environment in it has triggers of its own, or none", () => {
    // Environments inherit the triggers but not the variables, so one without its own would fire unknown crons.
    expect(Object.keys(config.env ?? {})).toEqual([]);
  });
});
