// A notebook: a server that uses every part of the contract with authors. docs/author.md shows it piece by piece.
import { acceptedContent, inputRequired, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { defineServer, type ServerContext, StateError } from "../src/mcp/context.ts";

// #region variables
const variables = {
  // A variable. It stands in [vars] of wrangler.toml.
  NOTEBOOK_LIMIT: z.coerce.number().int().min(1).default(20).describe("How many notes a session may keep"),
  // A secret. Set it with: npx wrangler secret put NOTEBOOK_TOKEN
  NOTEBOOK_TOKEN: z.string().min(1).optional().describe("The key of the dictionary service"),
  // A binding: [[kv_namespaces]] binding = "NOTEBOOK_ARCHIVE" in wrangler.toml.
  NOTEBOOK_ARCHIVE: z
    .custom<Pick<KVNamespace, "put">>((value) => typeof Object(value).put === "function")
    .optional()
    .describe("Where notes are copied to"),
};

type Context = ServerContext<typeof variables>;
// #endregion

// #region definition
export default defineServer({
  name: "notebook",
  version: "1.0.0",
  title: "Notebook",
  variables,
  options: ({ principal, session }) => ({
    instructions: `You are ${principal}. ${session === undefined ? "Notes need a session." : "Add notes with add_note."}`,
  }),
  register(server, context) {
    registerPrompts(server);
    registerResources(server);
    registerQuestions(server);
    if (context.state !== undefined) registerNotes(server, context, context.state);
  },
});
// #endregion

const notesSchema = z.array(z.string());

function registerNotes(server: McpServer, context: Context, state: NonNullable<Context["state"]>): void {
  const { env, principal, caller, requireScopes, waitUntil } = context;

  // #region update
  server.registerTool(
    "add_note",
    { description: "Adds a note to this session", inputSchema: z.object({ text: z.string() }) },
    async ({ text }) => {
      const { value, version } = await state.update("notes", (current) => {
        const notes = notesSchema.parse(current ?? []);
        if (notes.length >= env.NOTEBOOK_LIMIT) throw new Error("The notebook is full");
        return [...notes, text];
      });
      return result({ notes: value, version });
    },
  );
  // #endregion

  // #region get-set
  server.registerTool(
    "replace_notes",
    {
      description: "Replaces all notes, if nobody has changed them since they were read",
      inputSchema: z.object({ notes: notesSchema, if_version: z.int().min(0) }),
    },
    async ({ notes, if_version: ifVersion }) => {
      try {
        const { version, sizeBytes } = await state.set("notes", notes, { ifVersion });
        return result({ replaced: true, version, size_bytes: sizeBytes });
      } catch (error) {
        if (!(error instanceof StateError) || error.code !== "version_mismatch") throw error;
        const current = await state.get("notes");
        return result({ replaced: false, notes: current?.value ?? [], version: current?.version ?? 0 });
      }
    },
  );

  server.registerTool(
    "clear_notes",
    { description: "Deletes all notes", inputSchema: z.object({}) },
    async () => result({ existed: await state.delete("notes") }),
  );
  // #endregion

  // #region wait-until
  server.registerTool(
    "archive_notes",
    { description: "Copies the notes to the archive", inputSchema: z.object({}) },
    async () => {
      const archive = env.NOTEBOOK_ARCHIVE;
      if (archive === undefined) throw new Error("There is no archive");
      const notes = (await state.get("notes"))?.value ?? [];
      // The client does not wait for the copy.
      waitUntil(archive.put(principal, JSON.stringify(notes)));
      return result({ archived: true });
    },
  );
  // #endregion

  // #region scopes
  server.registerTool(
    "publish_notes",
    {
      description: "Shows the notes to everybody",
      inputSchema: z.object({}),
      // Needs more than `mcp`. Without it the client gets 403, asks its person, and calls again.
      scopeChallenge: requireScopes("notes:publish"),
    },
    async () => {
      const author = caller.kind === "person" ? caller.subject : caller.name;
      const notes = (await state.get("notes"))?.value ?? [];
      return result({ author, notes });
    },
  );
  // #endregion

  // #region signal
  server.registerTool(
    "define",
    {
      description: "Asks a dictionary for the meaning of a word",
      inputSchema: z.object({ word: z.string(), dictionary: z.url() }),
    },
    async ({ word, dictionary }) => {
      const response = await fetch(`${dictionary}?word=${encodeURIComponent(word)}`, {
        headers: { Authorization: `Bearer ${env.NOTEBOOK_TOKEN ?? ""}` },
        signal: AbortSignal.any([context.signal, AbortSignal.timeout(5000)]),
      });
      if (!response.ok) throw new Error(`The dictionary answered with ${response.status}`);
      return result({ meaning: await response.text() });
    },
  );
  // #endregion
}

// #region prompt-resource
function registerPrompts(server: McpServer): void {
  server.registerPrompt(
    "summarise",
    { description: "Asks for a summary", argsSchema: z.object({ topic: z.string() }) },
    ({ topic }) => ({
      messages: [{ role: "user", content: { type: "text", text: `Summarise my notes about ${topic}.` } }],
    }),
  );
}

function registerResources(server: McpServer): void {
  server.registerResource(
    "help",
    "notebook://help",
    { description: "How to use the notebook", mimeType: "text/plain" },
    (uri) => ({ contents: [{ uri: uri.href, text: "Call add_note with a text." }] }),
  );
}
// #endregion

// #region question
function registerQuestions(server: McpServer): void {
  server.registerTool(
    "close_notebook",
    { description: "Closes the notebook, after a question", inputSchema: z.object({}) },
    (_input, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "confirm", z.object({ close: z.boolean() }));
      if (answer !== undefined) return result({ closed: answer.close });
      return inputRequired({
        inputRequests: {
          confirm: inputRequired.elicit({
            message: "Close the notebook?",
            requestedSchema: {
              type: "object",
              properties: { close: { type: "boolean" } },
              required: ["close"],
            },
          }),
        },
      });
    },
  );
}
// #endregion

// #region result
/** The same twice: as an object for programs, and as text for clients that show only text. */
function result(structuredContent: Record<string, unknown>) {
  return { structuredContent, content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }] };
}
// #endregion
