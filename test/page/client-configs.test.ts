// What is copied into each client, as that client reads it.
import { expect, test } from "vitest";
import { clientGuides, textOf } from "../../src/page/client-configs.ts";

const url = "https://mcp.example.com/mcp";
const name = "notes";

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });
const servers = (server: object) => ({ mcpServers: { notes: server } });

/** Where each text goes, and the text or what its JSON says. */
const expected: Record<string, [where: string, made: string | object][]> = {
  "Claude Code": [
    [
      "In a terminal",
      `claude mcp add --transport http notes ${url} --header "Authorization: Bearer YOUR_KEY"\nclaude mcp list`,
    ],
    [
      ".mcp.json in a repository. MCP_KEY comes from the environment",
      servers({ type: "http", url, headers: bearer("${MCP_KEY}") }),
    ],
  ],
  "Claude Desktop": [
    [
      "claude_desktop_config.json. The bridge is a program of somebody else, and sees the key",
      servers({
        command: "npx",
        args: [
          "-y",
          "mcp-remote@0.15.1",
          url,
          "--transport",
          "http-only",
          "--header",
          "Authorization:${AUTH_HEADER}",
        ],
        env: { AUTH_HEADER: "Bearer YOUR_KEY" },
      }),
    ],
  ],
  "claude.ai": [],
  ChatGPT: [],
  Cursor: [
    [
      "~/.cursor/mcp.json, or .cursor/mcp.json in a project",
      servers({ url, headers: bearer("${env:MCP_KEY}") }),
    ],
  ],
  "VS Code": [
    [
      ".vscode/mcp.json. VS Code asks for the key once and keeps it",
      {
        inputs: [{ type: "promptString", id: "mcp-key", description: "Key of notes", password: true }],
        servers: { notes: { type: "http", url, headers: bearer("${input:mcp-key}") } },
      },
    ],
  ],
  Codex: [
    [
      "In a terminal. MCP_KEY comes from the environment",
      `codex mcp add notes --url ${url} --bearer-token-env-var MCP_KEY`,
    ],
    ["Or ~/.codex/config.toml", `[mcp_servers.notes]\nurl = "${url}"\nbearer_token_env_var = "MCP_KEY"`],
  ],
  "Gemini CLI": [
    [
      "In a terminal",
      `gemini mcp add --scope user --transport http --header "Authorization: Bearer YOUR_KEY" notes ${url}\ngemini mcp list`,
    ],
    ["Or ~/.gemini/settings.json", servers({ httpUrl: url, headers: bearer("$MCP_KEY") })],
  ],
  "MCP Inspector": [
    [
      "In a terminal",
      `npx @modelcontextprotocol/inspector --cli ${url} --transport http \\\n  --header "Authorization: Bearer YOUR_KEY" --method tools/list`,
    ],
  ],
};

test("the clients come in this order", () => {
  expect(clientGuides.map((guide) => guide.name)).toEqual(Object.keys(expected));
});

test.each(Object.entries(expected))("%s has these texts, each with its place", (client, texts) => {
  const guide = clientGuides.find((of) => of.name === client);
  expect(guide?.withKey.map(([where, make]) => [where, make({ url, name })])).toEqual(texts);
});

test("a client without a field for a key says where its address goes", () => {
  const notes = clientGuides.flatMap(({ withKey, note }) => (withKey.length === 0 ? [note] : []));
  expect(notes).toEqual([
    "Settings → Connectors → Add custom connector: enter the address, and sign in. Some plans have a field for a header.",
    "In a connector, enter the address, and sign in.",
  ]);
  expect(clientGuides.filter(({ note }) => note !== undefined)).toHaveLength(2);
});

test("an object is copied as JSON in lines, and a text as it is", () => {
  expect(textOf(servers({ url }))).toBe(
    `{\n  "mcpServers": {\n    "notes": {\n      "url": "${url}"\n    }\n  }\n}`,
  );
  expect(textOf("a\n  b")).toBe("a\n  b");
});
