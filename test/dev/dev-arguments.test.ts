// The arguments of npm run dev, and the connection string in them. No message repeats what was given: it may be a password.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readArguments } from "../../dev/arguments.ts";
import { readTarget } from "../../dev/connection-string.ts";

const none = { port: undefined, database: undefined, convert: false, signIn: false };
const isUsage = expect.objectContaining({
  name: "Failure",
  message: expect.stringMatching(/^Usage: npm run dev -- (?![^]*secret)/),
});

describe("arguments", () => {
  test.each([
    [[], none],
    [["--port", "8790"], { ...none, port: 8790 }],
    [["--database", "postgresql://a@b/c"], { ...none, database: "postgresql://a@b/c" }],
    [["--database=x", "--convert", "--port=1"], { ...none, port: 1, database: "x", convert: true }],
    [["--sign-in"], { ...none, signIn: true }],
  ])("%j are read", (args, expected) => {
    expect(readArguments(args)).toEqual(expected);
  });

  test.each([
    [["--port", "0"]],
    [["--port", "65536"]],
    [["--port", "8e3"]],
    [["--port"]],
    [["--database"]],
    [["--database", ""]],
    [["--convert"]],
    [["--sign-in=yes"]],
    [["--databse", "postgresql://me:secret@host/db"]],
    [["postgresql://me:secret@host/db"]],
  ])("%j get the usage", (args) => {
    expect(() => readArguments(args)).toThrow(isUsage);
  });
});

describe("a connection string", () => {
  const usual = {
    host: "db.example.com",
    port: 5432,
    role: "me",
    password: "secret",
    database: "sessions",
    sslmode: "prefer",
  };

  test.each([
    ["postgresql://me:secret@db.example.com/sessions", usual],
    ["postgres://me:secret@db.example.com:6543/sessions", { ...usual, port: 6543 }],
    [
      "postgresql://me:p%40s%3As%2F%25@db.example.com/my%20db",
      { ...usual, password: "p@s:s/%", database: "my db" },
    ],
    ["postgresql://me:secret@[::1]:5433/sessions", { ...usual, host: "::1", port: 5433 }],
    ["postgresql://db.example.com/sessions?user=me&password=secret", usual],
    ["postgresql://me:secret@db.example.com/?dbname=sessions&port=5432", usual],
    ["postgresql://me:secret@db.example.com/sessions?application_name=x", usual],
  ])("%s is read", (text, expected) => {
    expect(readTarget(text, {})).toMatchObject(expected);
  });

  test("takes the password from PGPASSWORD when it has none", () => {
    const environment = { PGPASSWORD: "from outside" };
    expect(readTarget("postgresql://me@h/db", environment).password).toBe("from outside");
    expect(readTarget("postgresql://me:secret@h/db", environment).password).toBe("secret");
    expect(readTarget("postgresql://me@h/db", {}).password).toBeUndefined();
  });

  test.each([
    ["secret", "must be a connection string, such as postgresql://"],
    ["host=secret user=me dbname=db", "must be a connection string"],
    ["https://me:secret@host/db", "must be a connection string"],
    ["postgresql://me:secret@host:port/db", "must have a port from 1 to 65535"],
    ["postgresql://me:secret@host:5432,other:5432/db", "must name one host"],
    ["postgresql://me:secret@host,other/db", "must name one host"],
    ["postgresql://me:secret@host:0/db", "must have a port from 1 to 65535"],
    ["postgresql://:secret@host/db", "names no role"],
    ["postgresql://host/db", "names no role"],
    ["postgresql://me:secret@host", "names no database"],
    ["postgresql://me:secret@host/", "names no database"],
    ["postgresql:///db", "A unix socket cannot be used"],
    ["postgresql://me:secret@/db", "A unix socket cannot be used"],
    ["postgresql://me:secret@/db?host=/var/run/postgresql", "A unix socket cannot be used"],
    ["postgresql://me:secret@x/db?host=/var/run/postgresql", "A unix socket cannot be used"],
    ["postgresql://me:secret@%2Fvar%2Frun%2Fpostgresql/db", "A unix socket cannot be used"],
    ["/var/run/postgresql secret", "A unix socket cannot be used"],
    ["socket:/tmp/?db=secret", "A unix socket cannot be used"],
    ["postgresql://me:secret%@host/db", "% as %25"],
    [
      "postgresql://me:secret@host/db?options=-c%20search_path%3Dapp",
      "has the parameter options, which Neon ignores over HTTP",
    ],
    [
      "postgresql://me:secret@host/db?sslmode=on",
      "has the parameter sslmode, which must be one of disable, allow, prefer",
    ],
    [
      "postgresql://me:secret@host/db?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem",
      "--database: sslrootcert of the connection string cannot be read: ENOENT",
    ],
    [
      "postgresql://me:secret@ep-a-1.eu-central-1.aws.neon.tech/db",
      "write it into .dev.vars as DATABASE_URL",
    ],
    [
      "postgresql://me:secret@EP-a-1-pooler.eu-central-1.aws.NEON.tech/db?sslmode=require",
      "write it into .dev.vars",
    ],
  ])("%s is refused in one line", (text, message) => {
    const failure = expect.objectContaining({
      name: "Failure",
      message: expect.stringMatching(/^(?!.*secret)[^\n]+$/),
    });
    expect(() => readTarget(text, {})).toThrow(failure);
    expect(() => readTarget(text, {})).toThrow(message);
  });

  test("has libpq's meaning of sslmode", () => {
    const folder = mkdtempSync(join(tmpdir(), "dev-tls-"));
    const ca = "-----BEGIN CERTIFICATE-----\nthe CA\n-----END CERTIFICATE-----";
    writeFileSync(join(folder, "ca.pem"), ca);
    const tls = (parameters: string) => readTarget(`postgresql://me@h/db?${parameters}`, {}).tls;
    const anybody = { rejectUnauthorized: false };
    const anyName = { checkServerIdentity: expect.any(Function) };
    expect(tls("")).toEqual([anybody, false]);
    expect(tls("sslmode=disable")).toEqual([false]);
    expect(tls("sslmode=allow")).toEqual([false, anybody]);
    expect(tls("sslmode=require")).toEqual([anybody]);
    expect(tls("sslmode=no-verify")).toEqual([anybody]);
    const root = `sslrootcert=${join(folder, "ca.pem")}`;
    expect(tls(`sslmode=require&${root}`)).toEqual([{ ca, ...anyName }]);
    expect(tls(`sslmode=verify-ca&${root}`)).toEqual([{ ca, ...anyName }]);
    expect(tls(`sslmode=verify-full&${root}`)).toEqual([{ ca }]);
    // The roots of the system, where Node can tell them.
    const system = expect.not.objectContaining({ checkServerIdentity: expect.anything() });
    expect(tls("sslmode=verify-full&sslrootcert=system")).toEqual([system]);
    // As with libpq, nothing weaker goes with them.
    expect(tls("sslmode=require&sslrootcert=system")).toEqual([system]);
    expect(readTarget("postgresql://me@h/db", { PGSSLMODE: "disable" }).tls).toEqual([false]);
    expect(readTarget("postgresql://me@h/db?sslmode=require", { PGSSLMODE: "disable" }).tls).toEqual([
      anybody,
    ]);
    expect(readTarget("postgresql://me@h/db", { PGSSLMODE: "constructor" }).tls).toEqual([anybody, false]);
    expect(tls("channel_binding=require")).toEqual([anybody]);
    expect(tls("ssl=true")).toEqual([anybody]);
    expect(tls("ssl=0")).toEqual([false]);
    rmSync(folder, { recursive: true });
  });
});
