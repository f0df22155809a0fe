// Keeps connections between requests, as Neon's proxy does: a request gets a wiped one of its own role,
// database and password, or a new one.
import type { Address } from "./connection.ts";
import { Connection } from "./connection.ts";
import type { Credentials } from "./request.ts";

// Neon keeps 20 idle connections per endpoint (proxy, SqlOverHttpArgs), and this server is one endpoint.
const MAX_IDLE = 20;

interface Idle {
  key: string;
  connection: Connection;
}

export class Pool {
  #address: Address;
  #idle: Idle[] = [];
  #open = new Set<Connection>();

  constructor(address: Address) {
    this.#address = address;
  }

  /** @throws NeonError when no connection can be had. */
  async take(credentials: Credentials): Promise<Connection> {
    const key = keyOf(credentials);
    for (;;) {
      // The last one used first: a client that sends one request after the other stays on one connection.
      const index = this.#idle.findLastIndex((idle) => idle.key === key);
      const [idle] = index < 0 ? [] : this.#idle.splice(index, 1);
      if (idle === undefined) break;
      if (await idle.connection.isFit()) return idle.connection;
    }
    const connection = await Connection.open(this.#address, credentials);
    this.#open.add(connection);
    void this.#forgetWhenClosed(connection);
    return connection;
  }

  /** Takes a connection back whose last statement succeeded. */
  giveBack(credentials: Credentials, connection: Connection): void {
    connection.startReset();
    this.#idle.push({ key: keyOf(credentials), connection });
    if (this.#idle.length > MAX_IDLE) void this.#idle.shift()?.connection.close();
  }

  async #forgetWhenClosed(connection: Connection): Promise<void> {
    await connection.closed;
    this.#open.delete(connection);
    this.#idle = this.#idle.filter((idle) => idle.connection !== connection);
  }

  /** Ends every connection; no request may be in flight. */
  async close(): Promise<void> {
    this.#idle = [];
    for (const connection of this.#open) connection.destroy();
    await Promise.all([...this.#open].map(({ closed }) => closed));
  }
}

function keyOf({ user, database, password }: Credentials): string {
  return JSON.stringify([user, database, password]);
}
