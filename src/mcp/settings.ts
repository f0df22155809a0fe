import { choice, defineSettings } from "../settings.ts";

export const mcpSettings = defineSettings({
  shape: {
    MCP_ERAS: choice(["both", "sessions", "stateless"], {
      default: "both",
      description:
        "Which revisions of MCP `/mcp` serves. `sessions`: those up to 2025-11-25, in sessions; newer clients are told so, and fall back. `stateless`: 2026-07-28 alone. [More](../author.md#both-eras-of-mcp)",
    }),
  },
  read: ({ MCP_ERAS: eras }) => ({ eras }),
});

export type Eras = ReturnType<typeof mcpSettings.read>["eras"];
