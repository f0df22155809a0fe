// Whatever a body is, the Worker says that it is the client's mistake, or answers it; and goes on.
import { expect, test } from "vitest";
import { logged } from "./support/captured-logs.ts";
import { hostileBodies, hostileKinds } from "./support/hostile.ts";
import { callTool, mcp, open } from "./support/mcp.ts";
import { createDatabase } from "./support/worker.ts";

// Longer than an initialize may be. `npm run bench -- hostile` sends as much as a request may hold.
const LONG = 100_000;

// One half with a session, the other without.
test.each(hostileKinds)("no body is answered with 5xx, and the Worker lives on: %s", async (kind) => {
  const database = await createDatabase();
  const env = database.env({ LOG_LEVEL: "error" });
  const session = await open(env);
  const bad: string[] = [];
  const bodies = hostileBodies(LONG).filter((body) => body.kind === kind);
  for (const [i, { place, variant, text }] of bodies.entries()) {
    const { status } = await mcp(env, text(), { session: (i + variant) % 2 === 0 ? session : undefined });
    if (status >= 500) bad.push(`${kind} ${variant} as ${place}: ${status}`);
  }
  expect(bad).toEqual([]);
  expect(logged().filter(({ level }) => level === "ERROR")).toEqual([]);
  expect((await callTool(env, session, "session_info")).structuredContent).toMatchObject({
    principal: "alice",
  });
  expect(await open(env)).toHaveLength(43);
  expect(
    await database.query("SELECT FROM mcp_sessions WHERE octet_length(client_info::text) > 2 * 16384"),
  ).toEqual([]);
});
