// The example of variables.md: an author's server with variables of its own. A test runs it.
import * as z from "zod";
import { defineServer } from "../../src/mcp/context.ts";

export default defineServer({
  name: "weather",
  version: "1.0.0",
  variables: {
    WEATHER_API_KEY: z.string().min(1).describe("The key of the weather service"),
    WEATHER_TIMEOUT_MS: z.coerce.number().int().min(100).default(5000).describe("Milliseconds"),
  },
  register(server, { env }) {
    server.registerTool(
      "forecast",
      { description: "Tomorrow's weather", inputSchema: z.object({ city: z.string() }) },
      async ({ city }) => {
        const response = await fetch(`https://weather.example/${encodeURIComponent(city)}`, {
          headers: { Authorization: `Bearer ${env.WEATHER_API_KEY}` },
          signal: AbortSignal.timeout(env.WEATHER_TIMEOUT_MS),
        });
        return { content: [{ type: "text", text: await response.text() }] };
      },
    );
  },
});
