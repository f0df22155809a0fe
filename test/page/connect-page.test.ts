// What a person copies into a client.
import { expect, test } from "vitest";
import { clientGuides, textOf } from "../../src/page/client-configs.ts";
import { connectPage } from "../../src/page/connect-page.ts";
import { frame, htmlOf } from "./part.ts";
import { read } from "./operator.ts";

const URL = "https://mcp.example.com/mcp";
const shown = async (serverName: string, hasSignIn = false) => {
  const html = await htmlOf(connectPage(frame, { url: URL, serverName, hasSignIn }));
  return read(new Response(html));
};

test("each client has its texts with this address, and a name that every client takes", async () => {
  const names = {
    "my server": "my-server",
    "Öl & Gas 7": "l-gas-7",
    "---": "my-server",
    "": "my-server",
    A: "a",
  };
  for (const [serverName, name] of Object.entries({ ...names, [`-${"x".repeat(40)}`]: "x".repeat(32) })) {
    const { text } = await shown(serverName);
    expect(text).toContain(`claude mcp add --transport http ${name} ${URL} --header`);
    for (const { withKey } of clientGuides)
      for (const [where, made] of withKey) {
        expect(text).toContain(where);
        expect(text).toContain(textOf(made({ url: URL, name })).replaceAll(/\s+/g, " "));
      }
  }
});

test("JSON is in lines, and a command is as it stands", () => {
  expect(textOf({ a: [1] })).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(textOf("a  b")).toBe("a  b");
});

test("the list of clients leads to each", async () => {
  const { html, links } = await shown("x");
  const ids = [
    "claude-code",
    "claude-desktop",
    "claude-ai",
    "chatgpt",
    "cursor",
    "vs-code",
    "codex",
    "gemini-cli",
  ];
  for (const id of [...ids, "mcp-inspector"]) {
    expect(links).toContain(`#${id}`);
    expect(html).toContain(`<div id="${id}">`);
  }
});

test("a client that takes no key needs OAuth, which the page says when it is off", async () => {
  const count = (text: string) => text.split("needs OAuth, which is off").length - 1;
  const without = await shown("x");
  expect(count(without.text)).toBe(2);
  expect(without.text).toContain("Every client needs this address, and a key with the scope mcp.");
  expect(without.text).not.toContain("leave the header out");
  const withSignIn = await shown("x", true);
  expect(count(withSignIn.text)).toBe(0);
  expect(withSignIn.text).toContain("and lets its person sign in. Or it sends a key with the scope mcp.");
  expect(withSignIn.text).toContain("To sign in instead, leave the header out.");
  // Only what has a note has its paragraph.
  expect(withSignIn.html.match(/<p>(?:undefined)?<\/p>/g)).toBeNull();
  expect(withSignIn.text).toContain("In a connector, enter the address, and sign in.");
});
