// How each client is told of this Worker, as docs/clients.md has it: test/manual/connect.test.ts holds both together. Pure.

interface Target {
  /** Of /mcp. */
  url: string;
  /** What the person calls the server. */
  name: string;
}

export interface Configuration {
  /** Where it goes, or what it does. */
  where: string;
  text: (target: Target) => string;
}

export interface ClientGuide {
  /** As the section of the manual is called. */
  name: string;
  /** With a key in a header; empty where a client has no field for one. */
  withKey: readonly Configuration[];
  note?: string;
}

// The one who reads the page knows the key; the page never does.
const HEADER = '"Authorization: Bearer YOUR_KEY"';

export const clientGuides: readonly ClientGuide[] = [
  {
    name: "Claude Code",
    withKey: [
      {
        where: "In a terminal",
        text: ({ url, name }) =>
          `claude mcp add --transport http ${name} ${url} --header ${HEADER}\nclaude mcp list`,
      },
      {
        where: "For a team: .mcp.json in the repository; MCP_KEY is read from the environment",
        text: ({ url, name }) => `{
  "mcpServers": {
    "${name}": {
      "type": "http",
      "url": "${url}",
      "headers": { "Authorization": "Bearer \${MCP_KEY}" }
    }
  }
}`,
      },
    ],
  },
  {
    name: "Claude Desktop",
    withKey: [
      {
        where:
          "claude_desktop_config.json, through a bridge that is a program of somebody else and sees the key",
        text: ({ url, name }) => `{
  "mcpServers": {
    "${name}": {
      "command": "npx",
      "args": [
        "-y",
        "mcp-remote@0.15.1",
        "${url}",
        "--transport",
        "http-only",
        "--header",
        "Authorization:\${AUTH_HEADER}"
      ],
      "env": { "AUTH_HEADER": "Bearer YOUR_KEY" }
    }
  }
}`,
      },
    ],
  },
  {
    name: "claude.ai",
    withKey: [],
    note: "Settings → Connectors → Add custom connector takes the address alone, and the person signs in. Some plans have a field for headers: Authorization with Bearer YOUR_KEY.",
  },
  {
    name: "ChatGPT",
    withKey: [],
    note: "A connector takes the address alone, and the person signs in. There is no field for a key.",
  },
  {
    name: "Cursor",
    withKey: [
      {
        where: "~/.cursor/mcp.json, or .cursor/mcp.json in a project",
        text: ({ url, name }) => `{
  "mcpServers": {
    "${name}": {
      "url": "${url}",
      "headers": { "Authorization": "Bearer \${env:MCP_KEY}" }
    }
  }
}`,
      },
    ],
  },
  {
    name: "VS Code",
    withKey: [
      {
        where: ".vscode/mcp.json; VS Code asks for the key once and keeps it",
        text: ({ url, name }) => `{
  "inputs": [
    { "type": "promptString", "id": "mcp-key", "description": "Key of ${name}", "password": true }
  ],
  "servers": {
    "${name}": {
      "type": "http",
      "url": "${url}",
      "headers": { "Authorization": "Bearer \${input:mcp-key}" }
    }
  }
}`,
      },
    ],
  },
  {
    name: "Codex",
    withKey: [
      {
        where: "In a terminal; the key stands in the environment variable MCP_KEY",
        text: ({ url, name }) => `codex mcp add ${name} --url ${url} --bearer-token-env-var MCP_KEY`,
      },
      {
        where: "Or ~/.codex/config.toml",
        text: ({ url, name }) => `[mcp_servers.${name}]
url = "${url}"
bearer_token_env_var = "MCP_KEY"`,
      },
    ],
  },
  {
    name: "Gemini CLI",
    withKey: [
      {
        where: "In a terminal",
        text: ({ url, name }) =>
          `gemini mcp add --scope user --transport http --header ${HEADER} ${name} ${url}\ngemini mcp list`,
      },
      {
        where: "Or ~/.gemini/settings.json, with the key in the environment",
        text: ({ url, name }) => `{
  "mcpServers": {
    "${name}": {
      "httpUrl": "${url}",
      "headers": { "Authorization": "Bearer $MCP_KEY" }
    }
  }
}`,
      },
    ],
  },
  {
    name: "MCP Inspector",
    withKey: [
      {
        where: "In a terminal: lists the tools",
        text: ({ url }) => `npx @modelcontextprotocol/inspector --cli ${url} --transport http \\
  --header ${HEADER} --method tools/list`,
      },
    ],
  },
  {
    name: "curl",
    withKey: [
      {
        where: "Opens a session; the answer has its id in Mcp-Session-Id",
        text: ({
          url,
        }) => `curl -i ${url} -H "Authorization: Bearer YOUR_KEY" -H "Content-Type: application/json" \\
  -H "Accept: application/json, text/event-stream" \\
  -d '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}'`,
      },
    ],
  },
];
