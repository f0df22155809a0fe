// The page at /, for whoever has only its address.
import { expect, test } from "vitest";
import { environment, send } from "../support/worker.ts";
import { read } from "./operator.ts";

const home = async (variables: object) =>
  read(await send(environment({ ADMIN_PAGE: "true", ...variables }), "/"));

test("it says where to look, and gives the address of the endpoint", async () => {
  const { text, links } = await home({});
  expect(text).toContain("/mcp");
  for (const [name, path] of [
    ["For operators", "/admin"],
    ["Does it run?", "/healthz"],
    ["For programs", "/openapi.json"],
  ] as const) {
    expect(links).toContain(path);
    expect(text).toContain(`${name} ${path}`);
  }
});

test("it says whether people can sign in", async () => {
  expect((await home({})).text).toContain("It needs a key. What");
  const { text } = await home({ OAUTH_ISSUERS: "https://issuer.example.com" });
  expect(text).toContain("It needs a key, or lets you sign in. What");
});
