// Resources: text, binary, and a template.
import { type McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { PIXEL } from "./content.ts";

export function registerResources(server: McpServer): void {
  server.registerResource(
    "static-text",
    "test://static-text",
    { description: "Text that does not change", mimeType: "text/plain" },
    ({ href }) => ({
      contents: [
        { uri: href, mimeType: "text/plain", text: "This is the content of the static text resource." },
      ],
    }),
  );

  server.registerResource(
    "static-binary",
    "test://static-binary",
    { description: "An image that does not change", mimeType: "image/png" },
    ({ href }) => ({ contents: [{ uri: href, mimeType: "image/png", blob: PIXEL }] }),
  );

  // Clients up to 2025-11-25 may subscribe to it. It never changes, so there is nothing to send.
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", () => ({}));
  server.registerResource(
    "watched-resource",
    "test://watched-resource",
    { description: "Text that somebody watches", mimeType: "text/plain" },
    ({ href }) => ({ contents: [{ uri: href, mimeType: "text/plain", text: "Watched" }] }),
  );

  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "Data by id", mimeType: "application/json" },
    ({ href }, { id }) => ({
      contents: [
        {
          uri: href,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }),
        },
      ],
    }),
  );
}
