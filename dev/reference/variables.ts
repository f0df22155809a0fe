// variables.md: every variable, secret and binding, from what each room declares.
import type * as z from "zod";
import { manuals, type Rule, type VariableKind } from "../../src/settings.ts";
import { block, blocks, described, linkTo, list, type Page, pageOf, prose, table } from "./markdown.ts";

/** The variables of a room, and what must hold between them. */
interface Room {
  shape: z.ZodRawShape;
  // oxlint-disable-next-line typescript/no-explicit-any -- a rule of any room; it is only read, not asked
  rules?: readonly Rule<any>[];
}

const whereSet = {
  variable: "Variable: `[vars]` in `wrangler.toml`.",
  secret: "Secret: `npx wrangler secret put NAME`.",
  binding: "Binding: its own section in `wrangler.toml`.",
} satisfies Record<VariableKind, string>;

/** @param example the text of an author's server that has variables of its own. */
export function variablesPage(rooms: Record<string, Room>, example: string): Page {
  const problems: string[] = [];
  const rows: string[][] = [];
  const sections = Object.entries(rooms).map(([room, { shape, rules = [] }]) => {
    const entries = Object.entries(shape).map(([name, schema]) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a room's shape is made of zod's schemas
      const manual = manuals.get(schema as z.ZodType);
      const description = described(`The variable ${name}`, manual?.description, problems);
      if (manual === undefined) return "";
      const fallback = manual.default ?? (manual.kind === "binding" ? "none" : "must be set");
      rows.push([linkTo("variables", name), room, valueOf(fallback), firstSentence(description)]);
      return blocks(
        `### ${name}`,
        description,
        list([
          `Form: ${described(`The form of ${name}`, manual.form, problems)}.`,
          `Default: ${valueOf(fallback)}.`,
          ...rules.filter(({ variable }) => variable === name).map(({ problem }) => `${sentence(problem)}.`),
          whereSet[manual.kind].replace("NAME", name),
        ]),
      );
    });
    return blocks(`## The room ${room}`, ...entries);
  });
  const text = pageOf(
    "Variables, secrets and bindings",
    intro,
    table(["name", "room", "default", "what it does"], rows),
    ...sections,
    blocks(
      "## Variables of your own server",
      ownIntro,
      block("ts", example.slice(example.indexOf("import")).replaceAll("../../src/", "../")),
      ownEnd,
    ),
  );
  return { text, problems };
}

const intro = `
A wrong value stops both doors, HTTP and cron. The log then names every variable that is wrong and what it must be, never
its value. \`npm run dev\` and \`npm run check\` say the same before a deploy.

A value in \`wrangler.toml\` may be a string, a number or a boolean. An empty string is a value like any other. In
development any variable can also be set in \`.dev.vars\`.

A variable whose name begins with \`MCP_\`, \`HEALTH_\` or \`LOG_\` and that nobody declares gets a warning with the most
similar name: in the log when an isolate starts, in \`npm run dev\`, in \`npm run check\`, and in
\`GET /session-health?verbose=1\`. Example: \`MCP_AGGRESIVE_CLEANUP\`. With \`OAUTH_\`, \`ACCESS_\`, \`AUTHORIZATION_\`, \`ADMIN_\` or
\`SIGN_\` a name gets it when one or two letters are wrong, such as \`OAUTH_ISSUER\`.`.trim();

const ownIntro = `
Your server in \`src/server/\` declares its own variables, secrets and bindings in \`variables\` of \`defineServer\`: a zod
schema each, with \`.describe()\`. They are checked with ours when the Worker starts. Your handlers get the parsed values as
\`context.env\`, typed.`.trim();

const ownEnd = `
Set a secret with \`npx wrangler secret put WEATHER_API_KEY\`, and in \`.dev.vars\` for development. A name that stands in
the list above belongs to us; choose another.`.trim();

const words = new Set(["must be set", "none", "no limit", "empty"]);
/** A default as code, unless it is a word or is code already. */
const valueOf = (text: string) => (words.has(text) || text.startsWith("`") ? text : `\`${text}\``);

const firstSentence = (text: string) => /^.*?[.:](?= |$)/s.exec(text)?.[0].replace(/:$/, ".") ?? text;

const sentence = (problem: string) => prose(problem.charAt(0).toUpperCase() + problem.slice(1));
