// Which parameters of a connection string are taken, and which settings are refused.
import { expect, test } from "vitest";
import { readConnectionString } from "../../src/db/connection-string.ts";
import { readParameters } from "../../src/db/connection-parameters.ts";
import { HOST } from "../support/connection-strings.ts";
import { createDatabase } from "../support/worker.ts";

test("each value that a limited parameter can have is taken, in either case, and no other", () => {
  const values = {
    sslmode: "disable allow prefer require verify-ca verify-full no-verify",
    channel_binding: "disable prefer require",
    gssencmode: "disable prefer",
    client_encoding: "utf8 utf-8 auto",
    target_session_attrs: "any read-write primary",
    targetservertype: "any primary master",
  };
  for (const [name, words] of Object.entries(values)) {
    for (const value of words.split(" "))
      for (const query of [`${name}=${value}`, `${name.toUpperCase()}=${value.toUpperCase()}`])
        expect(readParameters(query)).toEqual({
          replacements: new Map(),
          values: new Map([[name, query.split("=")[1]]]),
          kept: `?${query}`,
        });
    const all = words.replaceAll(" ", ", ");
    expect(() => readParameters(`${name}=other`)).toThrow(
      `has the parameter ${name}, which must be one of ${all}`,
    );
  }
});

test("what replaces a part is not kept, and what is there twice is kept once", () => {
  expect(readParameters("user=a&ssl=true&host=b&ssl=true&port=&user=a&=x")).toEqual({
    replacements: new Map([
      ["user", "a"],
      ["host", "b"],
    ]),
    values: new Map([
      ["ssl", "true"],
      ["", "x"],
    ]),
    kept: "?ssl=true&=x",
  });
  expect(readParameters("password=a=b%3D&dbname=c").replacements).toEqual(
    new Map([
      ["password", "a=b="],
      ["dbname", "c"],
    ]),
  );
  for (const query of ["ssl=true&ssl=false", "host=a&host=b"])
    expect(() => readParameters(query)).toThrow("has a parameter twice, with different values");
  for (const query of ["a=%", "%=a", "a=%00"])
    expect(() => readParameters(query)).toThrow("has a parameter that is not percent-encoded");
});

test("every setting that PostgreSQL takes of a client is refused, and nothing that libpq takes itself", async () => {
  const { query } = await createDatabase();
  const settings = await query(
    "SELECT lower(name) AS name FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY name",
  );
  const ofLibpq = ["application_name", "client_encoding", "tcp_user_timeout"];
  const problemOf = (name: string) => {
    try {
      readConnectionString(`postgresql://role:pw@${HOST}/db?${name}=1`);
    } catch (error) {
      return String(error);
    }
    return undefined;
  };
  const names = settings.map(({ name }) => String(name)).filter((name) => !ofLibpq.includes(name));
  expect(names.length).toBeGreaterThan(150);
  const isRefused = (name: string) =>
    [`has the parameter ${name}, `, "has the parameter of a setting, "].some((words) =>
      problemOf(name)?.includes(words),
    );
  expect(names.filter((name) => !isRefused(name))).toEqual([]);
  // What follows the beginning of a name is anybody's text.
  expect(problemOf("jit_a-secret")).toContain("has the parameter of a setting, ");
  expect(problemOf("jit_a-secret")).not.toContain("a-secret");
  // Those of libraries.
  for (const name of [
    "connect_timeout",
    "keepalives_idle",
    "tcp_user_timeout",
    "pool_timeout",
    "idle_timeout",
    "max_lifetime",
  ]) {
    expect(problemOf(name)).toBeUndefined();
  }
});
