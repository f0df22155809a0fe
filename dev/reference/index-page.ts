// README.md of the reference: what each page has.
import { list, type Page, pageOf } from "./markdown.ts";

export function indexPage(): Page {
  const text = pageOf(
    "Reference",
    "All of this is generated from the code, and `npm run check` fails when it has drifted.",
    list([
      "[Variables](variables.md): every variable, secret and binding, and how your server adds its own.",
      "[Routes](routes.md): every route with its parameters, answers and refusals.",
      "[Errors](errors.md): every error code, with its status and when it occurs.",
      "[Metrics and alerts](metrics.md): every metric with its labels, every alert with its runbook.",
      "[Log lines](logs.md): every log line with its fields.",
      "[Tables and routines](database.md): every table, column, index, function, procedure and trigger.",
    ]),
  );
  return { text, problems: [] };
}
