// What a tool asks of a client that answers over a stream, and whom it cannot ask.
import { expect, test } from "vitest";
import { isQuestionId, questionsOf } from "../../src/streams/questions.ts";

type Requests = Parameters<typeof questionsOf>[0];
const form = { method: "elicitation/create", params: { message: "Who?" } };
const url = {
  method: "elicitation/create",
  params: { mode: "url", url: "https://a.example", message: "Go" },
};
const sampling = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };
const withTools = { ...sampling, params: { ...sampling.params, tools: [] } };
const roots = { method: "roots/list" };

const asked = (request: object, capabilities: Record<string, unknown>) =>
  questionsOf({ one: request } as Requests, capabilities);

test.each<[what: string, request: object, capabilities: Record<string, unknown>]>([
  ["a form of one that takes forms", form, { elicitation: { form: {} } }],
  ["a form of one that says nothing of forms", form, { elicitation: {} }],
  ["a form of one that takes both", form, { elicitation: { form: {}, url: {} } }],
  ["an address", url, { elicitation: { url: {} } }],
  ["a model", sampling, { sampling: {} }],
  ["a model with tools", withTools, { sampling: { tools: {} } }],
  ["roots", roots, { roots: { listChanged: true } }],
])("a client is asked for %s", (_, request, capabilities) => {
  const [question, ...others] = asked(request, capabilities);
  expect(others).toEqual([]);
  expect(question).toMatchObject({ key: "one", request: { jsonrpc: "2.0", ...request } });
  expect(isQuestionId(question?.request.id)).toBe(true);
});

test.each<[what: string, request: object, capabilities: Record<string, unknown>, missing: string]>([
  ["a form of one that takes addresses alone", form, { elicitation: { url: {} } }, "elicitation.form"],
  ["a form of one that takes nothing", form, {}, "elicitation.form"],
  ["a form of one that says null", form, { elicitation: null }, "elicitation.form"],
  ["a form of one that says true", form, { elicitation: true }, "elicitation.form"],
  ["an address of one that takes forms", url, { elicitation: { form: {} } }, "elicitation.url"],
  ["an address of one that says nothing of them", url, { elicitation: {} }, "elicitation.url"],
  ["a model", sampling, { roots: {} }, "sampling"],
  ["a model with tools", withTools, { sampling: {} }, "sampling.tools"],
  ["roots", roots, { sampling: {} }, "roots"],
])("no client is asked for %s", (_, request, capabilities, missing) => {
  expect(() => asked(request, capabilities)).toThrow(`the capability ${missing},`);
});

test("a tool must ask something, and something that is known", () => {
  for (const none of [undefined, {}]) expect(() => questionsOf(none, {})).toThrow("must say which");
  expect(() => asked({ method: "ping" }, {})).toThrow('cannot be asked "one": its method is unknown');
});

test("an address has an id of its own, or the one that its tool gives", () => {
  const idOf = (request: object) =>
    asked(request, { elicitation: { url: {} } })[0]?.request.params?.["elicitationId"];
  expect(isQuestionId(idOf(url))).toBe(true);
  expect(idOf(url)).not.toBe(idOf(url));
  expect(idOf({ ...url, params: { ...url.params, elicitationId: "mine" } })).toBe("mine");
  const [plain] = asked(form, { elicitation: {} });
  expect(plain?.request.params).toEqual(form.params);
});

test("what is no address has no id of an address, and what has no parameters gets none", () => {
  const like = { ...sampling, params: { ...sampling.params, mode: "url" } };
  const [model] = asked(like, { sampling: {} });
  expect(model?.request.params).toEqual(like.params);
  const [listing] = asked(roots, { roots: {} });
  expect(Object.keys(listing?.request ?? {})).toEqual(["jsonrpc", "id", "method"]);
});

test("questions keep their names and their order, and each has an id of its own", () => {
  const all = questionsOf({ b: form, a: roots } as Requests, { elicitation: {}, roots: {} });
  expect(all.map(({ key, request }) => [key, request.method])).toEqual([
    ["b", "elicitation/create"],
    ["a", "roots/list"],
  ]);
  expect(new Set(all.map(({ request }) => request.id)).size).toBe(2);
});

const id = "0123abcd-4567-89ab-cdef-0123456789ab";

test("the id of a question is a UUID", () => {
  expect(isQuestionId(id)).toBe(true);
  const others = [
    "",
    `x${id}`,
    `${id}0`,
    `${id}\n`,
    id.slice(1),
    id.replace("4567", "456"),
    id.toUpperCase(),
  ];
  for (const other of [...others, id.replaceAll("-", ""), id.slice(0, -1), 7, null])
    expect([other, isQuestionId(other)]).toEqual([other, false]);
});
