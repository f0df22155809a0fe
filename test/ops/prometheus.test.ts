// A real Prometheus over the local Worker, with the files of ops/ as they are but for addresses and times: a minute of
// theirs is a second here.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anyFreePort } from "../../dev/ports.ts";
import { startSystem, type System, type TestWorker } from "../e2e/support.ts";
import { copyOfOps, launch, query, run, until } from "./support.ts";

let system: System;
let worker: TestWorker;
let prometheus: string;
const open: (() => unknown)[] = [];

/** Waits until it is one series: a busy machine misses a scrape. */
const expectOne = (expression: string) =>
  until(
    expression,
    () => query(prometheus, expression),
    (found) => found.length === 1,
  );

/** Runs both tiers. */
async function cleanUp(): Promise<void> {
  for (const tier of ["immediate", "regular"]) {
    const headers = { Authorization: `Bearer ${system.keys.operator}` };
    const { status } = await fetch(`${worker.url}/cleanup/${tier}`, { method: "POST", headers });
    if (status !== 200) throw new Error(`The ${tier} tier was answered with ${status}`);
  }
}

beforeAll(async () => {
  system = await startSystem();
  open.unshift(() => system.stop());
  worker = await system.startWorker({
    MCP_AGGRESSIVE_CLEANUP: "true",
    MCP_HANDLES: "true",
    MCP_TASKS: "true",
    HEALTH_TIMEOUT_MS: "1000",
  });
  const host = new URL(worker.url).host;
  const [port, blackboxPort] = [await anyFreePort(), await anyFreePort()];
  const quick = (text: string) => text.replace(/for: \d+[mh]/g, "for: 1s");
  const { folder, remove } = copyOfOps({
    "prometheus/prometheus.yml": (text) =>
      text
        .replace("scrape_interval: 15m", "scrape_interval: 1s")
        .replace("scrape_timeout: 10s", "scrape_timeout: 1s")
        .replace("evaluation_interval: 1m", "evaluation_interval: 1s")
        .replace("scheme: https", "scheme: http")
        .replace("https://mcp-sessions.example.workers.dev", worker.url)
        .replaceAll("mcp-sessions.example.workers.dev", host)
        .replace("127.0.0.1:9115", `127.0.0.1:${blackboxPort}`),
    "prometheus/rules/alerts.yml": quick,
  });
  open.unshift(remove);
  writeFileSync(join(folder, "prometheus", "metrics-key"), system.keys.prometheus);
  writeFileSync(join(folder, "blackbox", "health-key"), system.keys.monitor);
  const data = mkdtempSync(join(tmpdir(), "mcp-sessions-prometheus-"));
  open.unshift(() => rmSync(data, { recursive: true, force: true }));

  // Something of everything: sessions of both states, one that was ended, a backlog, runs of both tiers.
  await system.ask(`INSERT INTO mcp_sessions (session_id, expires_at)
    SELECT 'seed-' || i, now() + (i - 50) * interval '1 minute' FROM generate_series(1, 100) i`);
  await cleanUp();
  await system.ask(
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('late', now() - interval '1 minute')",
  );

  await system.ask(`INSERT INTO mcp_handles (handle_hash, owner, kind, value, created_at, last_used_at, expires_at)
    SELECT 'seed-' || i, 'me', 'cart', '{}', now(), now(), now() + (i - 1) * interval '1 minute' FROM generate_series(1, 9) i`);
  await system.ask(`INSERT INTO mcp_tasks (task_hash, owner, tool, status, leased_until, max_attempts, on_lost, poll_ms, expires_at)
    SELECT 'seed-' || i, 'me', 'report', 'working', now() - interval '1 minute', 3, 'retry', 1000, now() + (i - 1) * interval '1 minute'
      FROM generate_series(1, 9) i`);

  open.unshift(
    launch(
      "prometheus-blackbox-exporter",
      ["--config.file=blackbox.yml", `--web.listen-address=127.0.0.1:${blackboxPort}`],
      join(folder, "blackbox"),
    ),
  );
  open.unshift(
    launch(
      "prometheus",
      [
        "--config.file=prometheus.yml",
        `--storage.tsdb.path=${data}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      join(folder, "prometheus"),
    ),
  );
  prometheus = `http://127.0.0.1:${port}`;
  await expectOne('up{job="mcp-sessions"} == 1');
});
afterAll(async () => {
  for (const close of open.splice(0)) await close();
});

const metrics = async () =>
  (
    await fetch(`${worker.url}/metrics`, { headers: { Authorization: `Bearer ${system.keys.prometheus}` } })
  ).text();

test("promtool finds nothing wrong with the metrics", async () => {
  expect(await run("promtool", ["check", "metrics"], await metrics())).toBe("");
});

test("both targets are up, and every metric of the Worker is there", async () => {
  // Of a family that has a sample: one may say nothing until it is switched on.
  const names = [...(await metrics()).matchAll(/^# TYPE (\S+) (\S+)\n(?!#|$)/gm)].map(([, name, type]) =>
    type === "histogram" ? `${name}_bucket` : (name ?? ""),
  );
  expect(names.length).toBeGreaterThan(14);
  for (const name of names) {
    await until(
      name,
      () => query(prometheus, `${name}{job="mcp-sessions"}`),
      (found) => found.length > 0,
    );
  }
  await expectOne('probe_success{job="mcp-session-health"} == 1');
  await expectOne('mcp_sessions{state="active"} == 50');
});

describe("the dashboard", () => {
  const dashboard = JSON.parse(readFileSync("ops/grafana/mcp-sessions.json", "utf8")) as {
    panels: { title: string; description: string; targets: { expr: string }[] }[];
    templating: { list: { name: string; definition?: string }[] };
  };
  const targets = dashboard.panels.flatMap(({ title, targets: own }) =>
    own.map(({ expr }) => [title, expr] as const),
  );

  // While Prometheus looks on, so that rates have something to show.
  beforeAll(cleanUp);

  test.each(targets)("%s: %s", async (_title, expression) => {
    const own = expression.replaceAll("$job", "mcp-sessions");
    expect(own).not.toContain("$");
    await until(
      own,
      () => query(prometheus, own),
      (found) => found.length > 0 && found.every(({ value }) => value[1] !== "NaN"),
    );
  });

  test("its variable finds the job", async () => {
    const definition = dashboard.templating.list.find(({ name }) => name === "job")?.definition ?? "";
    const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
    const url = `${prometheus}/api/v1/label/${label}/values?match[]=${metric}`;
    expect(await (await fetch(url)).json()).toMatchObject({ data: ["mcp-sessions"] });
  });
});

test("an outage fires the alerts on the store and on health, and they clear when it is over", async () => {
  const firing = () => query(prometheus, 'ALERTS{alertstate="firing"}');
  const names = async () => (await firing()).map(({ metric }) => metric["alertname"] ?? "").toSorted();
  await system.postgres.stop();
  try {
    // The Worker is there, and those that need the database say nothing.
    const fired = ["MCPSessionHealthFailing", "MCPSessionStoreDown"].join();
    await until("firing", names, (found) => found.join() === fired);
    await expectOne('up{job="mcp-sessions"} == 1');
    await expectOne('mcp_session_store_fault{kind="database_unreachable"} == 1');
  } finally {
    await system.postgres.start();
  }
  await until("clear", names, (found) => found.length === 0);
  await expectOne("mcp_session_store_up == 1");
});
