/** The result of a tool: an object for programs, and the same as text for clients that show only that. */
export function result(structuredContent: Record<string, unknown>) {
  return { structuredContent, content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }] };
}
