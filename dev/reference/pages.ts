// The whole reference, made of the code: every page by its file name. Needs no database and no network.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "oxfmt";
import * as z from "zod";
// Loads every module of the Worker, so that each has made its log lines.
// oxlint-disable-next-line import/no-unassigned-import -- it is loaded for that alone
import "../../src/worker.ts";
// oxlint-disable-next-line import/no-unassigned-import -- as above
import "../../src/parts/entrypoint.ts";
import { readSqlFiles } from "../../drizzle/files.ts";
import * as schema from "../../src/db/schema.ts";
import { rooms } from "../../src/env.ts";
import { logManual } from "../../src/log.ts";
import { readComments } from "./comments.ts";
import { databasePage } from "./database.ts";
import { errorsPage } from "./errors.ts";
import { indexPage } from "./index-page.ts";
import { logsPage } from "./logs.ts";
import type { Page } from "./markdown.ts";
import { errorMeanings } from "./meanings.ts";
import { allFamilies, metricsPage } from "./metrics.ts";
import { readRoutes, registeredRoutes } from "./route-list.ts";
import { routesPage } from "./routes.ts";
import { variablesPage } from "./variables.ts";

const root = join(import.meta.dirname, "..", "..");
const read = (path: string) => readFileSync(join(root, path), "utf8").replaceAll("\r\n", "\n");

/** The files with the tables: src/db/schema.ts, and those that it exports again. */
export const schemaFiles = () =>
  readdirSync(join(root, "src/db"))
    .filter((name) => name.endsWith("schema.ts"))
    .map((name) => `src/db/${name}`);

export interface Reference {
  /** The text of each page by its file name. */
  files: Map<string, string>;
  /** One line for each thing that has no description. */
  problems: string[];
}

export async function createReference(): Promise<Reference> {
  const variables = variablesPage(rooms, read("dev/reference/own-variables.ts"));
  // The app below has a configuration, and what the room of a new variable lacks is better said here than there.
  if (variables.problems.length > 0) return { files: new Map(), problems: variables.problems };
  const { routes, problems } = readRoutes(registeredRoutes());
  const pages: Record<string, Page> = {
    "README.md": indexPage(),
    "variables.md": variables,
    "routes.md": routesPage(routes),
    "errors.md": errorsPage(errorMeanings, routes),
    "metrics.md": metricsPage(allFamilies(), [
      read("ops/prometheus/rules/alerts.yml"),
      read("ops/prometheus/rules/recording.yml"),
    ]),
    "logs.md": logsPage(logManual, readComments(read("src/log.ts"))),
    "database.md": databasePage(
      schema,
      readComments(schemaFiles().map(read).join("")),
      readSqlFiles(join(root, "drizzle")).routines,
    ),
  };
  const files = new Map<string, string>();
  for (const [file, { text }] of Object.entries(pages)) files.set(file, await formatted(file, text));
  return { files, problems: [...problems, ...Object.values(pages).flatMap((page) => page.problems)] };
}

/** As oxfmt leaves it, so that the check of the format and this one agree. */
async function formatted(file: string, text: string): Promise<string> {
  const { printWidth } = z.object({ printWidth: z.number() }).parse(JSON.parse(read(".oxfmtrc.json")));
  const { code, errors } = await format(file, text, { printWidth });
  if (errors.length > 0) throw new Error(`${file} cannot be formatted: ${errors[0]?.message}`);
  return code;
}
