// With Cloudflare Access a browser is let in by a cookie, which it sends for any page. So only pages of the Worker itself
// may change something.
import { beforeEach, expect, test } from "vitest";
import { clearWeb, createIssuer, type TestIssuer } from "../support/issuer.ts";
import { bearer, createDatabase, keys, remaining, send } from "../support/worker.ts";

const OWN = "https://worker.test";

let access: TestIssuer;

beforeEach(async () => {
  await clearWeb();
  access = await createIssuer({ isAccess: true });
  await access.publish();
});

async function withExpired() {
  const database = await createDatabase();
  await database.query(
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('expired', now() - interval '1 day')",
  );
  const env = { ...database.env(), ACCESS_TEAM_DOMAIN: access.url, ACCESS_AUDIENCE: "tag" };
  const assertion = await access.token("someone", undefined, { aud: "tag" });
  const ask = (path: string, method: string, headers: Record<string, string>) =>
    send(env, path, { method, headers: { "Cf-Access-Jwt-Assertion": assertion, ...headers } });
  return { database, env, ask };
}

test.each(["https://attacker.test", "https://worker.test.attacker.test", "http://worker.test", "null"])(
  "a page of %s cleans nothing up and ends nothing",
  async (origin) => {
    const { database, ask } = await withExpired();
    for (const [path, method] of [
      ["/cleanup/regular", "POST"],
      ["/sessions?principal=alice", "DELETE"],
    ] as const) {
      const response = await ask(path, method, { Origin: origin });
      expect([path, response.status]).toEqual([path, 403]);
      expect(await response.json()).toMatchObject({ error: { code: "origin_not_allowed" } });
    }
    expect(await remaining(database)).toEqual(["expired"]);
    expect((await ask("/sessions", "GET", { Origin: origin })).status).toBe(200);
  },
);

test.each<[string, Record<string, string>]>([
  ["a page of the Worker", { Origin: OWN }],
  ["a program, which names no page", {}],
])("%s may clean up", async (_name, headers) => {
  const { database, ask } = await withExpired();
  expect((await ask("/cleanup/regular", "POST", headers)).status).toBe(200);
  expect(await remaining(database)).toEqual([]);
});

test("a key is enough from any page: no browser sends one by itself", async () => {
  const { database, env } = await withExpired();
  const headers = { ...bearer(keys.admin).headers, Origin: "https://attacker.test" };
  expect((await send(env, "/cleanup/regular", { method: "POST", headers })).status).toBe(200);
  expect(await remaining(database)).toEqual([]);
});
