// What the dev loop prints: the lines one pastes, and the Worker's log without wrangler's noise.
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { bannerText } from "../../dev/banner.ts";
import { openRemote } from "../../dev/database.ts";
import { servedEras } from "../../dev/eras.ts";
import { readable } from "../../dev/output.ts";

const EMBEDDED = {
  workerUrl: "http://127.0.0.1:8787",
  database: [
    ["Local Neon", "http://127.0.0.1:5488/sql"],
    ["PostgreSQL", "postgresql://mcp:word@127.0.0.1:5487/mcp"],
  ] as const,
  apiKey: "k-e_y",
  mcpKey: "m-k_y",
  crons: [
    { cron: "*/10 * * * *", tier: "immediate" },
    { cron: "0 * * * *", tier: "regular" },
  ],
  served: servedEras({}),
  notes: [],
};

/** The arguments that curl gets when a line is pasted into a shell. */
function pasted(line: string): string[] {
  const script = `curl() { printf '%s\\n' "$@"; }\n${line}`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8" }).trimEnd().split("\n");
}

const curlLines = (text: string) => text.split("\n").filter((line) => line.startsWith("  curl "));

describe("the banner", () => {
  test("has a line for each route and for firing each tier that works as it is pasted", () => {
    const authorization = ["-H", "Authorization: Bearer k-e_y"];
    expect(curlLines(bannerText(EMBEDDED)).map(pasted)).toEqual([
      ["http://127.0.0.1:8787/healthz"],
      [...authorization, "http://127.0.0.1:8787/session-health"],
      [...authorization, "http://127.0.0.1:8787/session-health?verbose=1"],
      [...authorization, "http://127.0.0.1:8787/metrics"],
      [...authorization, "http://127.0.0.1:8787/sessions?state=active"],
      [...authorization, "http://127.0.0.1:8787/cleanup/runs"],
      [...authorization, "-X", "POST", "http://127.0.0.1:8787/cleanup/regular"],
      ["http://127.0.0.1:8787/openapi.json"],
      [
        ...authorization,
        "-i",
        "-H",
        "Content-Type: application/json",
        "-H",
        "Accept: application/json, text/event-stream",
        "-d",
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}',
        "http://127.0.0.1:8787/mcp",
      ],
      ["http://127.0.0.1:8787/cdn-cgi/local/scheduled?cron=*/10+*+*+*+*&format=json"],
      ["http://127.0.0.1:8787/cdn-cgi/local/scheduled?cron=0+*+*+*+*&format=json"],
    ]);
  });

  test("has a line for the MCP Inspector and a configuration for a client, with the key", () => {
    const lines = bannerText(EMBEDDED).split("\n");
    const inspector = lines.find((line) => line.includes("npx @modelcontextprotocol/inspector")) ?? "";
    expect(pasted(inspector.replace("npx @modelcontextprotocol/inspector", "curl"))).toEqual([
      "--web",
      "--transport",
      "http",
      "--server-url",
      "http://127.0.0.1:8787/mcp",
      "--header",
      "Authorization: Bearer m-k_y",
    ]);
    expect(JSON.parse(lines.find((line) => line.includes("mcpServers")) ?? "")).toEqual({
      mcpServers: {
        "mcp-sessions": {
          type: "http",
          url: "http://127.0.0.1:8787/mcp",
          headers: { Authorization: "Bearer m-k_y" },
        },
      },
    });
  });

  test("shows where the sign-in is, and a configuration without a key for it", () => {
    const lines = bannerText({ ...EMBEDDED, signInUrl: "http://127.0.0.1:8788" }).split("\n");
    expect(lines).toContain("  Sign-in     http://127.0.0.1:8788");
    const servers = lines.filter((line) => line.includes("mcpServers")).map((line) => JSON.parse(line));
    expect(servers[1]).toEqual({
      mcpServers: { "mcp-sessions": { type: "http", url: "http://127.0.0.1:8787/mcp" } },
    });
    expect(bannerText(EMBEDDED)).not.toMatch(/sign/i);
  });

  test("shows where the embedded database is", () => {
    const text = bannerText(EMBEDDED);
    expect(text).toContain("http://127.0.0.1:5488/sql");
    expect(text).toContain("postgresql://mcp:word@127.0.0.1:5487/mcp");
  });

  test("does not show the password of a remote database", () => {
    const databaseUrl = "postgresql://me:secret@ep-a-1.aws.neon.tech/sessions?sslmode=require";
    const text = bannerText({ ...EMBEDDED, database: openRemote(databaseUrl).shown });
    expect(text).toContain("ep-a-1.aws.neon.tech/sessions");
    expect(text).not.toContain("secret");
  });

  test.each([
    [{}, /2025-11-25 gets a session, .*\n.*2026-07-28 gets no session, and no tool .* MCP_HANDLES=true/],
    [
      { MCP_HANDLES: "true" },
      /2025-11-25 gets a session, .*\n.*2026-07-28 gets no session; its tools keep values in handles/,
    ],
    [{ MCP_ERAS: "sessions" }, /2025-11-25 gets a session, .*\n.*2026-07-28 is told to fall back/],
    [{ MCP_ERAS: "stateless" }, /2025-11-25 is refused: .*\n.*2026-07-28 gets no session/],
  ])("with %j it says what a client of each era gets", (vars, words) => {
    expect(bannerText({ ...EMBEDDED, served: servedEras(vars) })).toMatch(words);
  });

  test("without sessions the line for /mcp asks what the server can do", () => {
    const lines = curlLines(bannerText({ ...EMBEDDED, served: servedEras({ MCP_ERAS: "stateless" }) }));
    const line = pasted(lines.find((one) => one.includes("/mcp")) ?? "");
    expect(line).toContain("Mcp-Method: server/discover");
    expect(JSON.parse(line.at(-2) ?? "")).toMatchObject({ method: "server/discover" });
  });

  test("says so when there is no key to show", () => {
    expect(bannerText({ ...EMBEDDED, apiKey: undefined })).toContain("only hashes of keys");
  });
});

describe("the log", () => {
  test.each([
    "10:06:46.588 INFO MCP session cleanup: deleted 250 expired sessions",
    "⎔ Reloading local server...",
    "✘ [ERROR] Uncaught Error: boom",
  ])("keeps %s", (line) => {
    expect(readable(line)).toBe(line);
  });

  test.each([
    "[wrangler:info] GET /healthz 200 OK (31ms)",
    "[wrangler:info] Ready on http://127.0.0.1:8787",
    'env.LOG_LEVEL ("(hidden)")                           Environment Variable      local',
    "env.CLEANUP_SLEEP                                    KV Namespace              local",
    "⎔ Connection status updated",
    "Using secrets defined in process.env",
    "\u001B[33m▲ \u001B[43;33m[\u001B[43;30mWARNING\u001B[43;33m]\u001B[0m \u001B[1mScheduled Workers are not automatically triggered during local development.\u001B[0m",
    '    curl "http://127.0.0.1:8899/cdn-cgi/local/scheduled"',
    "",
  ])("drops %s", (line) => {
    expect(readable(line)).toBeUndefined();
  });

  test("shows an error of the Worker as the Worker wrote it", () => {
    const line =
      "\u001B[31m✘ \u001B[41;31m[\u001B[41;97mERROR\u001B[41;31m]\u001B[0m \u001B[1m10:19:00.032 ERROR session_cleanup_task_failed\u001B[0m";
    expect(readable(line)).toBe("10:19:00.032 ERROR session_cleanup_task_failed");
  });
});
