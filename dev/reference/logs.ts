// logs.md: every log line by its subject, and every field. The lines are those that the modules of src/ have made.
import type { logManual } from "../../src/log.ts";
import { logLevels } from "../../src/log.ts";
import type { Comments } from "./comments.ts";
import { block, blocks, code, described, list, type Page, pageOf, table } from "./markdown.ts";

const levelOf = (level: string) => logLevels.findIndex((known) => known === level);

/** @param comments those of src/log.ts, where the fields are. */
export function logsPage(manual: typeof logManual, comments: Comments): Page {
  const problems: string[] = [];
  const lines = manual.toSorted(
    (a, b) =>
      a.subject.localeCompare(b.subject, "en") ||
      levelOf(b.level) - levelOf(a.level) ||
      a.message.localeCompare(b.message, "en"),
  );
  const sections = lines.map(({ subject, level, message, meaning, fields }, i) =>
    blocks(
      subject === lines[i - 1]?.subject ? undefined : `## The subject ${subject}`,
      `### ${code(message)}`,
      described(`The log line ${message}`, meaning, problems),
      list([
        `Level: ${level}.`,
        `[Fields](#fields): ${fields.length === 0 ? "none" : fields.map(code).join(", ")}.`,
      ]),
    ),
  );
  const used = new Set<string>(lines.flatMap(({ fields }) => fields));
  const declared = [...comments.docs.keys()]
    .filter((name) => name.startsWith("LogFields."))
    .map((name) => name.replace("LogFields.", ""));
  for (const field of declared) {
    if (!used.has(field)) problems.push(`The log field ${field} is in no line: take it out of LogFields`);
  }
  const rows = [...used]
    .toSorted()
    .map((field) => [
      code(field),
      described(`The log field ${field}`, comments.docs.get(`LogFields.${field}`), problems),
    ]);
  const text = pageOf(
    "Log lines",
    intro,
    block("json", example),
    afterExample,
    ...sections,
    "## Fields",
    "A field without a value is left out.",
    table(["field", "what it says"], rows),
  );
  return { text, problems };
}

const intro = `
With [\`LOG_FORMAT\`](variables.md#log_format) \`json\` a line is one JSON object. Four fields are in every line: \`@timestamp\`
(UTC), \`level\` (\`DEBUG\`, \`INFO\`, \`WARN\`, \`ERROR\`), \`message\`, and \`logger\`, which is \`mcp-sessions.\` and the subject.
Example:`.trim();

const example = JSON.stringify({
  "@timestamp": "2026-11-25T09:31:00.123Z",
  level: "INFO",
  message: "MCP session ended",
  logger: "mcp-sessions.session",
  session: "3f9a0c1d",
  principal: "alice",
  reason: "client",
});

const afterExample = `
No line ever has a key, a password, a session id, a parameter or a message of the database. In a message, \`{deleted}\` stands
for the value of the field. [\`LOG_LEVEL\`](variables.md#log_level) is the least severe level that is logged.`.trim();
