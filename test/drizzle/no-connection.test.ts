// What db:migrate and db:check say when no PostgreSQL answers: where, and what is there instead.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { configsOf, connect, reasonOf } from "../../drizzle/connection.ts";
import { readConnectionString } from "../../src/db/connection-string.ts";
import { anyFreePort } from "../../dev/ports.ts";

/** What is said of a server that does this with each connection; of a closed port without it. */
async function said(parameters: string, serve?: (socket: Socket) => void): Promise<string> {
  const port = serve === undefined ? await anyFreePort() : await listening(serve);
  const url = `postgresql://role:secret@127.0.0.1:${port}/db?connect_timeout=2&${parameters}`;
  const config = configsOf(readConnectionString(url)).at(-1) ?? {};
  const reason = await connect(config).then(() => "connected", reasonOf);
  return reason.replaceAll(String(port), "PORT");
}

async function listening(serve: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {}); // The client may end it first.
    serve(socket);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

// Length and number of the packet, version of the protocol, version of the server.
const MYSQL_GREETING = Buffer.from("\u{4a}\0\0\0\u{0a}8.0.32\0");

test.each<[string, string, (socket: Socket) => void, string]>([
  [
    "MySQL",
    "sslmode=disable",
    (socket) => socket.write(MYSQL_GREETING),
    "what answers at 127.0.0.1:PORT is not PostgreSQL",
  ],
  [
    "MySQL",
    "sslmode=require",
    (socket) => socket.write(MYSQL_GREETING),
    "what answers at 127.0.0.1:PORT is not PostgreSQL",
  ],
  [
    "a web server",
    "sslmode=disable",
    (socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
    "what answers at 127.0.0.1:PORT",
  ],
  [
    "one that ends each connection",
    "sslmode=disable",
    (socket) => socket.once("data", () => socket.end()),
    "what answers at 127.0.0.1:PORT ends each connection at once",
  ],
  [
    "one that says nothing",
    "sslmode=disable",
    () => {},
    "PostgreSQL at 127.0.0.1:PORT has not answered in 2 s",
  ],
  [
    "one that says yes to TLS and speaks none",
    "sslmode=require",
    (socket) =>
      socket.once("data", () => {
        socket.write("S");
        socket.on("data", () => socket.write("no TLS at all, but long enough for a record of it"));
      }),
    "no connection to PostgreSQL at 127.0.0.1:PORT: TLS fails: ",
  ],
])("%s, with %s", async (_, parameters, serve, expected) => {
  expect(await said(parameters, serve)).toContain(expected);
});

test("nothing", async () => {
  expect(await said("sslmode=disable")).toBe(
    "no connection to PostgreSQL at 127.0.0.1:PORT: connect ECONNREFUSED 127.0.0.1:PORT",
  );
});
