// What is printed when everything runs. Every command line works as it is in sh, zsh and cmd.
import { scheduledUrl } from "./crons.ts";
import type { OpenDatabase } from "./database.ts";
import { eraLines, firstRequest, type ServedEras } from "./eras.ts";

export interface Banner {
  workerUrl: string;
  /** Of examples/sign-in; undefined when it does not run. */
  signInUrl?: string | undefined;
  database: OpenDatabase["shown"];
  /** For the lines of curl; undefined when API_KEYS holds only hashes. */
  apiKey: string | undefined;
  /** For MCP clients. */
  mcpKey: string | undefined;
  served: ServedEras;
  crons: readonly { cron: string; tier: string }[];
  notes: readonly string[];
}

const ROUTES = [
  { path: "/healthz", isOpen: true },
  { path: "/session-health", isOpen: false },
  { path: "/session-health?verbose=1", isOpen: false },
  { path: "/metrics", isOpen: false },
  { path: "/sessions?state=active", isOpen: false },
  { path: "/cleanup/runs", isOpen: false },
  { path: "/cleanup/regular", isOpen: false, more: ["-X POST"] },
  { path: "/openapi.json", isOpen: true },
];

export function bannerText({
  workerUrl,
  signInUrl,
  database,
  apiKey,
  mcpKey,
  crons,
  served,
  notes,
}: Banner): string {
  const key = apiKey ?? "YOUR_KEY";
  const authorization = `-H "Authorization: Bearer ${key}"`;
  const places: Banner["database"] = [
    ["Worker", workerUrl],
    ...(signInUrl === undefined ? [] : [["Sign-in", signInUrl] as const]),
    ...database,
    ["API key", apiKey ?? "API_KEYS in .dev.vars holds only hashes of keys"],
  ];
  return [
    "",
    "Ready.",
    "",
    ...places.map(([name, place]) => `  ${name.padEnd(12)}${place}`),
    ...notes.map((note) => `  ${note}`),
    "",
    "Ask it:",
    ...[...ROUTES, { path: "/mcp", isOpen: false, more: firstRequest(served) }].map(
      ({ path, isOpen, more = [] }) =>
        ["  curl", ...(isOpen ? [] : [authorization]), ...more, `"${workerUrl}${path}"`].join(" "),
    ),
    "",
    ...eraLines(served),
    "",
    "Connect the MCP Inspector:",
    `  ${inspectorLine(`${workerUrl}/mcp`, mcpKey ?? "YOUR_KEY")}`,
    "",
    "Connect a client. Its configuration, such as .mcp.json of Claude Code:",
    `  ${clientConfiguration(`${workerUrl}/mcp`, mcpKey ?? "YOUR_KEY")}`,
    "",
    ...(signInUrl === undefined
      ? []
      : [
          "Connect one that signs in instead. It asks for a key on a page:",
          `  ${clientConfiguration(`${workerUrl}/mcp`)}`,
          "",
        ]),
    "Fill in sessions:",
    "  npm run dev:seed -- --sessions 1000",
    "",
    ...crons.flatMap(({ cron, tier }) => [
      `Fire the ${tier} tier now (it also fires at ${cron}, UTC):`,
      `  curl "${scheduledUrl(workerUrl, cron)}"`,
      "",
    ]),
    "Ctrl-C stops everything and keeps the data.",
    "",
  ].join("\n");
}

function inspectorLine(mcpUrl: string, key: string): string {
  return `npx @modelcontextprotocol/inspector --web --transport http --server-url ${mcpUrl} --header "Authorization: Bearer ${key}"`;
}

function clientConfiguration(mcpUrl: string, key?: string): string {
  const headers = key === undefined ? undefined : { Authorization: `Bearer ${key}` };
  const server = { type: "http", url: mcpUrl, headers };
  return JSON.stringify({ mcpServers: { "mcp-sessions": server } });
}
