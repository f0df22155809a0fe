// Log lines of many requests: none has a field without a value.
import { afterEach, expect, test, vi } from "vitest";
import { callTool, end, initializeParams, mcp, open } from "./support/mcp.ts";
import { bearer, createDatabase, fire, keys, REGULAR_CRON, send, setFaults } from "./support/worker.ts";

afterEach(() => setFaults());

/** What the console gets, as it gets it. */
function captured(): string[] {
  const lines: string[] = [];
  for (const method of ["debug", "log", "info", "warn", "error"] as const) {
    vi.spyOn(console, method).mockImplementation((...values: unknown[]) => {
      lines.push(values.map(String).join(" ").trim());
    });
  }
  return lines;
}

test.each(["text", "json"])("no line of the format %s says undefined", async (format) => {
  const database = await createDatabase();
  const variables = {
    LOG_FORMAT: format,
    MCP_DEGRADED_MODE: "serve",
    MCP_SESSION_TIMEOUT_MS: "300",
    HEALTH_TIMEOUT_MS: "300",
    MCP_SESSION_TTLS: "1",
    MCP_MAX_SESSIONS_PER_PRINCIPAL: "2",
  };
  const env = database.env(variables);
  const lines = captured();
  const paths = ["/healthz", "/nowhere", "/session-health", "/metrics", "/sessions", "/cleanup/runs", "/mcp"];
  const play = async () => {
    for (const path of paths) {
      for (const key of [undefined, ...Object.values(keys)]) {
        for (const method of ["GET", "POST", "DELETE", "OPTIONS"])
          await send(env, path, { method, ...(key !== undefined && bearer(key)) });
      }
    }
    await send(env, "/cleanup/regular", { method: "POST", ...bearer(keys.admin) });
    await mcp(env, { method: "initialize", params: initializeParams });
    await mcp(env, { method: "ping" }, { session: "A".repeat(43) });
    await fire(env, REGULAR_CRON).catch(() => undefined);
    await fire(env, "1 2 3 4 5").catch(() => undefined);
  };
  const session = await open(env);
  for (let i = 0; i < 3; i++) await open(env);
  await play();
  await callTool(env, await open(env), "session_info");
  await end(env, await open(env));
  await end(env, session);
  for (const kind of ["reset", "quota"] as const) {
    await setFaults({ fault: { kind } });
    await play();
  }
  await setFaults();
  await database.query("DROP TABLE mcp_sessions CASCADE");
  await play();
  await send({ ...env, DATABASE_URL: "nothing" }, "/healthz");

  expect(lines.length).toBeGreaterThan(300);
  expect(lines.filter((line) => /undefined|\[object |NaN/.test(line))).toEqual([]);
  // Both kinds of value that a field can have are there.
  expect(lines.some((line) => /principal.{1,3}alice/.test(line))).toBe(true);
  expect(lines.some((line) => line.includes("unmatched") && !line.includes("principal"))).toBe(true);
});
