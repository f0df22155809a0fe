// The way to PostgreSQL for what does not go through the local Neon, as far away as the local Neon says it is.
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import type { Life } from "../../../dev/shutdown.ts";

export interface Way {
  port: number;
  /** How long what is sent to PostgreSQL is under way, there and back. */
  ms: number;
}

export async function wayTo(life: Life, { host, port }: { host: string; port: number }): Promise<Way> {
  const way: Way = { port: 0, ms: 0 };
  const server = createServer({ noDelay: true }, (client) => {
    const postgres = connect({ host, port, noDelay: true });
    postgres.pipe(client);
    client.on("data", (chunk) => {
      if (way.ms === 0) postgres.write(chunk);
      else setTimeout(() => postgres.write(chunk), way.ms);
    });
    const end = () => {
      client.destroy();
      postgres.destroy();
    };
    for (const socket of [client, postgres]) socket.on("close", end).on("error", end);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  life.defer("The way to PostgreSQL", () => void server.close());
  way.port = (server.address() as AddressInfo).port;
  return way;
}
