// What is printed when everything runs. Every command line works as it is in sh, zsh, cmd and PowerShell.
import { scheduledUrl } from "./crons.ts";
import type { Places } from "./instance.ts";

export interface Banner extends Places {
  /** Undefined when API_KEYS holds only hashes. */
  apiKey: string | undefined;
  crons: readonly { cron: string; tier: string }[];
  notes: readonly string[];
}

const ROUTES = [
  { path: "/healthz", isOpen: true },
  { path: "/session-health", isOpen: false },
  { path: "/session-health?verbose=1", isOpen: false },
];

export function bannerText({ workerUrl, databaseUrl, neonEndpoint, apiKey, crons, notes }: Banner): string {
  const key = apiKey ?? "YOUR_KEY";
  const authorization = `-H "Authorization: Bearer ${key}" `;
  const database =
    neonEndpoint === undefined
      ? [["Neon", withoutPassword(databaseUrl)]]
      : [
          ["Local Neon", neonEndpoint],
          ["PostgreSQL", databaseUrl],
        ];
  const places = [
    ["Worker", workerUrl],
    ...database,
    ["API key", apiKey ?? "API_KEYS in .dev.vars holds only hashes of keys"],
  ];
  return [
    "",
    "Ready.",
    "",
    ...places.map(([name, place]) => `  ${name?.padEnd(12)}${place}`),
    ...notes.map((note) => `  ${note}`),
    "",
    "Ask it:",
    ...ROUTES.map(({ path, isOpen }) => `  curl ${isOpen ? "" : authorization}"${workerUrl}${path}"`),
    "",
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

function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  return `${url.host}${url.pathname}`;
}
