// routes.md: every route, from what each says of itself.
import { jsonSchemaOf, parametersOf } from "../../src/http/openapi.ts";
import { statusOf } from "../../src/http/errors.ts";
import { fieldMeanings } from "./field-meanings.ts";
import { type Field, fieldsOf, formOf } from "./json-schema.ts";
import { blocks, code, described, linkTo, list, type Page, pageOf, prose, table } from "./markdown.ts";
import { scopeMeanings } from "./meanings.ts";
import { type Route, titleOf } from "./route-list.ts";

export function routesPage(routes: readonly Route[]): Page {
  const problems: string[] = [];
  const rows = routes.map((route) => [
    linkTo("routes", titleOf(route)),
    scopeOf(route),
    prose(route.operation.summary),
  ]);
  const text = pageOf(
    "Routes",
    intro,
    table(["route", "scope", "what it does"], rows),
    "## Scopes",
    "A key of [`API_KEYS`](variables.md#api_keys) has one scope or several. No scope includes another.",
    list(Object.entries(scopeMeanings).map(([scope, meaning]) => `${code(scope)}: ${prose(meaning)}`)),
    ...routes.map((route) => sectionOf(route, problems)),
  );
  return { text, problems: [...problems, ...unusedMeanings(routes)] };
}

const intro = `
\`GET /openapi.json\` has all of this for programs, as OpenAPI 3.1. \`HEAD\` works wherever \`GET\` does, with the same status.
Every response has \`X-Request-Id\`, and \`Cache-Control: no-store\` unless its route says that it may be stored. A parameter that a route for
operators does not list is refused. The other routes take no notice of it: monitors add parameters of their own against caches.`.trim();

const scopeOf = ({ operation }: Route) =>
  operation.scope === undefined ? "none" : `[${code(operation.scope)}](#scopes)`;

function sectionOf(route: Route, problems: string[]): string {
  const { operation, refusals } = route;
  const title = titleOf(route);
  return blocks(
    `## ${title}`,
    `${described(`The route ${title}`, operation.summary, problems)}.`,
    operation.description === undefined ? undefined : prose(operation.description),
    operation.scope === undefined
      ? "Anyone may ask; no key is needed."
      : `Needs a key or a token with the scope ${scopeOf(route)}.`,
    parametersBlock(route, problems),
    answersBlock(route, problems),
    `Refused with: ${[...refusals]
      .toSorted((a, b) => statusOf(a) - statusOf(b))
      .map((name) => `${linkTo("errors", name)} (${statusOf(name)})`)
      .join(", ")}.`,
  );
}

function parametersBlock(route: Route, problems: string[]): string | undefined {
  const { params, query, headers } = route.operation;
  const parameters = [
    ...parametersOf("path", params),
    ...parametersOf("query", query),
    ...parametersOf("header", headers),
  ];
  if (parameters.length === 0) return undefined;
  return table(
    ["parameter", "in", "required", "form", "what it says"],
    parameters.map(({ name, in: place, required, schema, description }) => [
      code(name),
      place,
      required ? "yes" : "no",
      formOf(schema),
      described(`The parameter ${name} of ${titleOf(route)}`, description, problems),
    ]),
  );
}

function answersBlock(route: Route, problems: string[]): string {
  const answers = Object.entries(route.operation.answers);
  const summary = table(
    ["status", "body", "meaning"],
    answers.map(([status, { schema, contentTypes, description }]) => [
      status,
      schema === undefined ? "none" : (contentTypes ?? ["application/json"]).map(code).join(", "),
      described(`The answer ${status} of ${titleOf(route)}`, description, problems),
    ]),
  );
  const bodies = answers.flatMap(([status, { schema }]) => {
    const fields = schema === undefined ? [] : fieldsOf(jsonSchemaOf(schema));
    return fields.length === 0 ? [] : [{ status, text: fieldTable(titleOf(route), fields, problems) }];
  });
  // An answer with the same fields as one before it stands beside it.
  const texts = [...new Set(bodies.map(({ text }) => text))];
  return blocks(
    summary,
    ...texts.flatMap((text) => [
      `Body of ${bodies
        .filter((body) => body.text === text)
        .map(({ status }) => status)
        .join(" and ")}:`,
      text,
    ]),
  );
}

function fieldTable(title: string, fields: readonly Field[], problems: string[]): string {
  const rows = fields.map(({ name, form, description }) => {
    const meaning = description ?? fieldMeanings[lastPart(name)];
    return [code(name), form, described(`The field ${name} of ${title}`, meaning, problems)];
  });
  return table(["field", "form", "what it says"], rows);
}

/** The meanings that no field needs any more. */
function unusedMeanings(routes: readonly Route[]): string[] {
  const used = new Set(
    routes
      .flatMap(({ operation }) => Object.values(operation.answers))
      .flatMap(({ schema }) => (schema === undefined ? [] : fieldsOf(jsonSchemaOf(schema))))
      .filter(({ description }) => description === undefined)
      .map(({ name }) => lastPart(name)),
  );
  return Object.keys(fieldMeanings)
    .filter((name) => !used.has(name))
    .map((name) => `The meaning of ${name} in dev/reference/field-meanings.ts is of no field`);
}

/** `sessions[].handle` is `handle`. */
const lastPart = (name: string) => name.split(".").at(-1) ?? name;
