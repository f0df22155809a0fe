// How each client is told of this Worker, as docs/clients.md has it: test/manual/connect.test.ts holds both together. Pure.

interface Target {
  /** Of /mcp. */
  url: string;
  /** What the person calls the server. */
  name: string;
}

export interface ClientGuide {
  /** As the section of the manual is called. */
  name: string;
  /** Where a text goes, and the text; an object stands for its JSON. None where a client has no field for a key. */
  withKey: readonly (readonly [where: string, text: (target: Target) => string | object])[];
  note?: string;
}

// The one who reads the page knows the key; the page never does.
const HEADER = '"Authorization: Bearer YOUR_KEY"';
const TERMINAL = "In a terminal";

const servers = (name: string, server: object) => ({ mcpServers: { [name]: server } });
const authorization = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });

export const clientGuides: readonly ClientGuide[] = [
  {
    name: "Claude Code",
    withKey: [
      [
        TERMINAL,
        ({ url, name }) =>
          `claude mcp add --transport http ${name} ${url} --header ${HEADER}\nclaude mcp list`,
      ],
      [
        ".mcp.json in a repository. MCP_KEY comes from the environment",
        ({ url, name }) => servers(name, { type: "http", url, ...authorization("${MCP_KEY}") }),
      ],
    ],
  },
  {
    name: "Claude Desktop",
    withKey: [
      [
        "claude_desktop_config.json. The bridge is a program of somebody else, and sees the key",
        ({ url, name }) =>
          servers(name, {
            command: "npx",
            args: `-y mcp-remote@0.15.1 ${url} --transport http-only --header Authorization:\${AUTH_HEADER}`.split(
              " ",
            ),
            env: { AUTH_HEADER: "Bearer YOUR_KEY" },
          }),
      ],
    ],
  },
  {
    name: "claude.ai",
    withKey: [],
    note: "Settings → Connectors → Add custom connector: enter the address, and sign in. Some plans have a field for a header.",
  },
  { name: "ChatGPT", withKey: [], note: "In a connector, enter the address, and sign in." },
  {
    name: "Cursor",
    withKey: [
      [
        "~/.cursor/mcp.json, or .cursor/mcp.json in a project",
        ({ url, name }) => servers(name, { url, ...authorization("${env:MCP_KEY}") }),
      ],
    ],
  },
  {
    name: "VS Code",
    withKey: [
      [
        ".vscode/mcp.json. VS Code asks for the key once and keeps it",
        ({ url, name }) => ({
          inputs: [{ type: "promptString", id: "mcp-key", description: `Key of ${name}`, password: true }],
          servers: { [name]: { type: "http", url, ...authorization("${input:mcp-key}") } },
        }),
      ],
    ],
  },
  {
    name: "Codex",
    withKey: [
      [
        `${TERMINAL}. MCP_KEY comes from the environment`,
        ({ url, name }) => `codex mcp add ${name} --url ${url} --bearer-token-env-var MCP_KEY`,
      ],
      [
        "Or ~/.codex/config.toml",
        ({ url, name }) => `[mcp_servers.${name}]\nurl = "${url}"\nbearer_token_env_var = "MCP_KEY"`,
      ],
    ],
  },
  {
    name: "Gemini CLI",
    withKey: [
      [
        TERMINAL,
        ({ url, name }) =>
          `gemini mcp add --scope user --transport http --header ${HEADER} ${name} ${url}\ngemini mcp list`,
      ],
      [
        "Or ~/.gemini/settings.json",
        ({ url, name }) => servers(name, { httpUrl: url, ...authorization("$MCP_KEY") }),
      ],
    ],
  },
  {
    name: "MCP Inspector",
    withKey: [
      [
        TERMINAL,
        ({ url }) =>
          `npx @modelcontextprotocol/inspector --cli ${url} --transport http \\\n  --header ${HEADER} --method tools/list`,
      ],
    ],
  },
];

/** What is copied. */
export const textOf = (made: string | object): string =>
  typeof made === "string" ? made : JSON.stringify(made, null, 2);
