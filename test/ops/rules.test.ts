// What promtool says of the files in ops/, and that every alert is shown to fire and to be silent.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { copyOfOps, run } from "./support.ts";

const rules = ["ops/prometheus/rules/alerts.yml", "ops/prometheus/rules/recording.yml"];

interface RuleFile {
  groups: { rules: { alert?: string; record?: string; labels?: object; annotations?: object }[] }[];
}
interface TestFile {
  tests: { promql_expr_test: { expr: string; exp_samples: unknown[] }[] }[];
}

const alerts = (parse(readFileSync(rules[0] ?? "", "utf8")) as RuleFile).groups.flatMap(
  (group) => group.rules,
);

test("the rules are right", async () => {
  expect(await run("promtool", ["check", "rules", ...rules])).not.toMatch(/FAILED|error/i);
});

test("the configuration is right, with its two key files", async () => {
  const { folder, remove } = copyOfOps();
  try {
    const configuration = join(folder, "prometheus", "prometheus.yml");
    await expect(run("promtool", ["check", "config", configuration])).rejects.toThrow("metrics-key");
    writeFileSync(join(folder, "prometheus", "metrics-key"), "key");
    expect(await run("promtool", ["check", "config", configuration])).not.toMatch(/FAILED/);
    writeFileSync(join(folder, "blackbox", "health-key"), "key");
    const blackbox = join(folder, "blackbox", "blackbox.yml");
    await run("prometheus-blackbox-exporter", ["--config.check", `--config.file=${blackbox}`]);
  } finally {
    remove();
  }
});

test.each(["alerts", "recording"])("the cases of %s.yml hold", async (name) => {
  const said = await run("promtool", ["test", "rules", `ops/prometheus/tests/${name}.yml`]);
  expect(said).toContain("SUCCESS");
});

test("every alert has a case in which it fires, one in which it is silent, and texts that say what to do", () => {
  const { tests } = parse(readFileSync("ops/prometheus/tests/alerts.yml", "utf8")) as TestFile;
  const cases = tests.flatMap((one) => one.promql_expr_test);
  expect(alerts.length).toBeGreaterThan(8);
  for (const { alert, labels, annotations } of alerts) {
    const own = cases.filter(({ expr }) => expr.includes(`alertname="${alert}"`));
    expect(
      own.some((one) => one.exp_samples.length > 0),
      `${alert} fires`,
    ).toBe(true);
    expect(
      own.some((one) => one.exp_samples.length === 0),
      `${alert} is silent`,
    ).toBe(true);
    expect(Object.keys(annotations ?? {}).toSorted()).toEqual(["description", "runbook", "summary"]);
    expect(labels).toHaveProperty("severity");
  }
});
