// How a route describes itself, with the schemas that it reads and answers by. hono-openapi makes the document of them.
import type { MiddlewareHandler } from "hono";
import { describeRoute, type DescribeRouteOptions } from "hono-openapi";
import * as z from "zod";
import type { Scope } from "../auth/api-keys.ts";
import { faultKinds } from "../db/fault.ts";
import { type ErrorCode, statusOf } from "./errors.ts";

interface Answer {
  description: string;
  /** Left out for an answer without a body, or with a body that is not JSON. */
  schema?: z.ZodType;
  contentTypes?: readonly string[];
}

/** What a route says of itself. */
export interface Operation {
  summary: string;
  description?: string;
  /** Left out for a route without authentication. */
  scope?: Scope;
  query?: z.ZodObject;
  params?: z.ZodObject;
  headers?: z.ZodObject;
  body?: z.ZodType;
  answers: Record<number, Answer>;
  refusals?: readonly ErrorCode[];
  /** The body of a refusal, unless it is the usual one. */
  refusal?: z.ZodType;
}

const usualRefusal = z.strictObject({
  error: z.strictObject({
    code: z.string(),
    message: z.string(),
    request_id: z.guid(),
  }),
});

/** What an operator is told of a fault of the database, on routes of other scopes. */
export const operatorFault = z
  .strictObject({ kind: z.enum(faultKinds), sqlstate: z.string().nullable() })
  .describe("Only for a key that has the scope admin, too: why the database has failed");

const operatorRefusal = z.strictObject({
  error: usualRefusal.shape.error.extend({
    kind: z.enum(faultKinds).optional().describe("When the database has failed: why"),
    sqlstate: z
      .string()
      .nullable()
      .optional()
      .describe("When the database has failed: its SQLSTATE, if it gave one"),
  }),
});

/** The ways to present a key. Any one will do. */
export const securitySchemes = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "A key of API_KEYS, or an access token of OAUTH_ISSUERS, with the scope of the route",
  },
  apiKey: { type: "apiKey", in: "header", name: "X-API-Key", description: "The same key" },
  basic: { type: "http", scheme: "basic", description: "The same key as the password of any user" },
} as const;
const securitySchemeNames = Object.keys(securitySchemes);

/** The operation that each middleware of `documentedRoute` carries, for the reference manual. */
export const operations = new WeakMap<object, Operation>();

/** A middleware that only carries the description of a route. Its JSON Schema is made when the document is requested. */
export function documentedRoute(operation: Operation): MiddlewareHandler {
  const { summary, description, scope, query, params, headers, body } = operation;
  const spec = {
    summary,
    description,
    ...(scope !== undefined && {
      security: securitySchemeNames.map((name) => ({ [name]: [scope] })),
      tags: [scope],
    }),
    // A getter: making JSON Schema at start would take a tenth of the start-up time.
    get parameters() {
      return [
        ...parametersOf("path", params),
        ...parametersOf("query", query),
        ...parametersOf("header", headers),
      ];
    },
    get requestBody() {
      if (body === undefined) return undefined;
      return { required: true, content: { "application/json": { schema: jsonSchemaOf(body) } } };
    },
    get responses() {
      return responsesOf(operation);
    },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JSON Schema of zod's is what its types spell out
  const middleware = describeRoute(spec as DescribeRouteOptions);
  operations.set(middleware, operation);
  return middleware;
}

/** Every code that a route can refuse a request with; 404 for another path and 405 for another method aside. */
export function refusalsOf({ scope, refusals = [] }: Operation): ErrorCode[] {
  return [
    ...(scope === undefined ? [] : (["unauthenticated", "forbidden", "authorization_unavailable"] as const)),
    ...refusals,
    "payload_too_large",
    "internal",
    "configuration_invalid",
  ];
}

function responsesOf(operation: Operation) {
  const { answers, scope, refusal = scope === "admin" ? operatorRefusal : usualRefusal } = operation;
  const codes = refusalsOf(operation);
  const responses: Record<string, object> = {};
  for (const code of codes) {
    const status = statusOf(code);
    const others = codes.filter((other) => statusOf(other) === status);
    responses[status] = {
      description: others.join(", "),
      content: { "application/json": { schema: jsonSchemaOf(refusal) } },
    };
  }
  for (const [status, answer] of Object.entries(answers)) {
    const types = answer.contentTypes ?? ["application/json"];
    const schemas = [
      ...(answer.schema === undefined ? [] : [jsonSchemaOf(answer.schema)]),
      ...(responses[status] === undefined ? [] : [jsonSchemaOf(refusal)]),
    ];
    const schema = schemas.length === 1 ? schemas[0] : { anyOf: schemas };
    responses[status] = {
      description: answer.description,
      ...(schemas.length > 0 && { content: Object.fromEntries(types.map((type) => [type, { schema }])) }),
    };
  }
  return responses;
}

/** OpenAPI 3.1 uses JSON Schema without changes. */
export function jsonSchemaOf(schema: z.ZodType, io: "input" | "output" = "output"): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: "draft-2020-12", io });
  return rest;
}

interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description?: string;
  schema: object;
}

/** The parameters that a schema reads from one place of a request. */
export function parametersOf(place: Parameter["in"], schema: z.ZodObject | undefined): Parameter[] {
  if (schema === undefined) return [];
  // The output schema: a parameter arrives as text, but the document shows the type that it stands for.
  const properties = Object(jsonSchemaOf(schema)["properties"]);
  const required = jsonSchemaOf(schema, "input")["required"];
  return Object.entries<{ description?: string }>(properties).map(([name, { description, ...shape }]) => ({
    name,
    in: place,
    required: place === "path" || (Array.isArray(required) && required.includes(name)),
    ...(description !== undefined && { description }),
    schema: shape,
  }));
}
