// How a route's own words and schemas become what the OpenAPI document says of it.
import { Hono } from "hono";
import { generateSpecs } from "hono-openapi";
import { expect, test } from "vitest";
import * as z from "zod";
import { documentedRoute, type Operation, operations, parametersOf } from "../../src/http/openapi.ts";

/** What the document says of a route that is described like this. */
async function described(operation: Operation) {
  const app = new Hono().post("/route", documentedRoute(operation), (c) => c.body(null));
  const { paths } = await generateSpecs(app);
  return JSON.parse(JSON.stringify(paths?.["/route"]?.post));
}
const text = z.string().describe("A text");
const minimal = { summary: "Does it", answers: { 204: { description: "Done" } } };

test("a route without a scope, parameters and a body says no more than its answers", async () => {
  const own = await described(minimal);
  expect(own).toMatchObject({ summary: "Does it", parameters: [] });
  expect(
    Object.keys(own).filter((name) => ["description", "security", "tags", "requestBody"].includes(name)),
  ).toEqual([]);
  expect(own.responses[204]).toEqual({ description: "Done" });
});

test("its description stands there", async () => {
  expect(await described({ ...minimal, description: "More of it" })).toMatchObject({
    description: "More of it",
  });
});

test("a body must be there, as JSON of its schema", async () => {
  expect((await described({ ...minimal, body: z.strictObject({ a: text }) })).requestBody).toEqual({
    required: true,
    content: {
      "application/json": {
        schema: {
          type: "object",
          properties: { a: { type: "string", description: "A text" } },
          required: ["a"],
          additionalProperties: false,
        },
      },
    },
  });
});

test("an answer whose status is a refusal's, too, may have either body, and one with a schema of its own has that", async () => {
  const ok = z.strictObject({ ok: z.literal(true) });
  const answers = {
    200: { description: "It is", schema: ok },
    503: { description: "It is not", schema: ok },
  };
  const { responses } = await described({ ...minimal, answers, refusals: ["sessions_unavailable"] });
  const [own, either] = [200, 503].map((status) => responses[status].content["application/json"].schema);
  expect(Object.keys(own.properties)).toEqual(["ok"]);
  expect(either.anyOf.map((schema: typeof own) => Object.keys(schema.properties))).toEqual([
    ["ok"],
    ["error"],
  ]);
});

test("a parameter has its description beside its schema, and in a path it must be there", () => {
  const schema = z.object({ key: text.optional(), plain: z.string() });
  expect(parametersOf("query", schema)).toEqual([
    { name: "key", in: "query", required: false, description: "A text", schema: { type: "string" } },
    { name: "plain", in: "query", required: true, schema: { type: "string" } },
  ]);
  expect(parametersOf("path", schema).map(({ required }) => required)).toEqual([true, true]);
  expect(parametersOf("header", undefined)).toEqual([]);
});

test("the manual finds what a middleware describes", () => {
  const operation = { ...minimal };
  expect(operations.get(documentedRoute(operation))).toBe(operation);
});
