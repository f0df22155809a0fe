// To which hosts a connection string of the Worker may lead.
import { expect, test } from "vitest";
import { ConnectionStringError } from "../../src/db/connection-parameters.ts";
import { isNeonHost, neonHostProblem, neonHostProblems, readNeonString } from "../../src/db/neon-host.ts";

const [MACHINE, ADDRESS, NAME, PORT] = neonHostProblems;

const words = (text: string) => text.split(" ");

const problemsOf = (hosts: string[], isOverridden = false, port = 5432) =>
  hosts.map((host) => [host, neonHostProblem({ host, port }, isOverridden)]);
const all = (hosts: string[], problem: string | undefined) => hosts.map((host) => [host, problem]);

test("each problem says what is wrong", () => {
  expect(neonHostProblems).toEqual([
    expect.stringMatching(/^must not lead to this machine/),
    expect.stringMatching(/^must name a host, not an IP address/),
    expect.stringMatching(/^must name a host of Neon, such as ep-/),
    expect.stringMatching(/^must have the port 5432 or none/),
  ]);
});

test("a public name may be Neon's, and one that cannot be is refused", () => {
  const taken = words(
    "ep-x-1.eu-central-1.aws.neon.tech a.b.c ep-x-1.example.com 9ep.eu.neon.tech a.1b.com my-api.neon.tech " +
      "xapi.neon.build api.neon.tech.example.com a.local.example.com db.supabase.co.example.com db.xsupabase.co " +
      "localhost.example.com 127.0.0.1.example.com a.xlocal.com 0.0.0.0.example.com a.0x1.com xlocalhost.b.c",
  );
  expect(problemsOf(taken)).toEqual(all(taken, undefined));
  const services = words("api apiauth console docs pg status www");
  const others = [
    "",
    ...words("database neon.tech a.b my_db.example.com ep.x.neon.my_tech a..b.c"),
    ...services.flatMap((name) => [`${name}.neon.tech`, `${name}.neon.build`]),
    ...words("local internal intranet lan home corp test invalid example onion").map(
      (name) => `db.cluster.${name}`,
    ),
    ...words(
      "db.a.supabase.co a.pooler.supabase.com a.supabase.net my.rds.amazonaws.com my.rds.amazonaws.com.cn",
    ),
    ...words("a.b.prisma-data.net a.b.prisma-data.com a.b.flycast my.postgres.database.azure.com"),
  ];
  expect(problemsOf(others)).toEqual(all(others, NAME));
});

test("this machine and addresses are told apart", () => {
  const machine = ["localhost", "a.localhost", "127.0.0.1", "127.1", "0.0.0.0", "::1", "::"];
  expect(problemsOf(machine)).toEqual(all(machine, MACHINE));
  const addresses = [
    "10.0.0.1",
    "10.0.0.12",
    "5",
    "2001:db8::1",
    "0x7f.1",
    "a.0x",
    "a.0x1",
    "a.0xff",
    "a.b.0xf1",
  ];
  expect(problemsOf(addresses)).toEqual(all(addresses, ADDRESS));
  expect(problemsOf(["x::1"])).toEqual([["x::1", ADDRESS]]);
});

test("where the statements are sent elsewhere, a name of one label is wrong, and any port is right", () => {
  expect(problemsOf(["localhost", "a.localhost", "a.b", "my_db.b"], true, 6543)).toEqual(
    all(["localhost", "a.localhost", "a.b", "my_db.b"], undefined),
  );
  expect(problemsOf(["database"], true)).toEqual(all(["database"], NAME));
  expect(problemsOf(["127.0.0.1", "::1"], true)).toEqual(all(["127.0.0.1", "::1"], ADDRESS));
  expect(problemsOf(["a.b.c"], false, 6543)).toEqual(all(["a.b.c"], PORT));
});

test("a host that only Neon can have is known", () => {
  const hosts = [
    "a.neon.tech",
    "a.b.neon.build",
    "a.neon.tech.b",
    "aneon.tech",
    "a.neon.technology",
    "neon.tech",
  ];
  expect(hosts.map((host) => isNeonHost(host))).toEqual([true, true, false, false, false, false]);
});

test("a string for the Worker has a password and leads to Neon", () => {
  const text = "postgresql://role:pw@ep-1.eu.neon.tech/db";
  expect(readNeonString(text, false)).toMatchObject({ url: text, host: "ep-1.eu.neon.tech", password: "pw" });
  expect(() => readNeonString(text.replace(":pw", ""), false)).toThrow(ConnectionStringError);
  expect(() => readNeonString(text.replace("ep-1.eu.neon.tech", "database"), false)).toThrow(NAME);
  expect(() => readNeonString(text.replace("ep-1.eu.neon.tech", "database"), false)).toThrow(
    ConnectionStringError,
  );
});
