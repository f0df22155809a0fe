// Keeps connections between requests, as Neon's proxy does: a request gets a wiped one of its own role,
// database and password, or a new one. None is handed out to a password that PostgreSQL has ceased to take.
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "./connection.ts";
import { Connection } from "./connection.ts";
import { connectError, isUnreachable } from "./errors.ts";
import type { Passwords } from "./passwords.ts";
import type { Credentials } from "./request.ts";

// Neon keeps 20 idle connections per endpoint (proxy, SqlOverHttpArgs), and this server is one endpoint.
const MAX_IDLE = 20;

// Where nobody can tell whether a password is still right, a connection proves it: as often as this, which costs little.
const PROVEN_FOR_MS = 1000;

// Neon's waits before it tries again to reach a compute (proxy, RetryConfig): three seconds together.
const CONNECT_DELAYS_MS = [200, 400, 800, 1600];

interface Idle {
  key: string;
  connection: Connection;
  timer: NodeJS.Timeout;
}

export interface PoolOptions {
  address: Address;
  passwords: Passwords;
  /** How often it tries again to reach PostgreSQL, at most four times. */
  connectRetries: number;
  /** How long a connection may be idle. */
  idleTimeoutMs: number;
}

export class Pool {
  #options: PoolOptions;
  #idle: Idle[] = [];
  #open = new Set<Connection>();
  /** When a password last opened a connection. */
  #provenAt = new Map<string, number>();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** @throws NeonError when no connection can be had; the signal's reason when the client leaves before. */
  async take(credentials: Credentials, signal: AbortSignal): Promise<Connection> {
    const key = keyOf(credentials);
    for (;;) {
      // The last one used first: a client that sends one request after the other stays on one connection.
      const index = this.#idle.findLastIndex((idle) => idle.key === key);
      const [idle] = index < 0 ? [] : this.#idle.splice(index, 1);
      if (idle === undefined) break;
      clearTimeout(idle.timer);
      if (!(await this.#isStillRight(key, credentials))) {
        void idle.connection.close();
        break;
      }
      if (await idle.connection.isFit()) return idle.connection;
    }
    const connection = await this.#connect(credentials, signal);
    this.#provenAt.set(key, Date.now());
    this.#open.add(connection);
    void this.#forgetWhenClosed(connection);
    return connection;
  }

  /** Takes a connection back that has nothing left to roll back. */
  giveBack(credentials: Credentials, connection: Connection): void {
    connection.startReset();
    const timer = setTimeout(() => void connection.close(), this.#options.idleTimeoutMs).unref();
    this.#idle.push({ key: keyOf(credentials), connection, timer });
    if (this.#idle.length > MAX_IDLE) void this.#idle.shift()?.connection.close();
  }

  async #isStillRight(key: string, credentials: Credentials): Promise<boolean> {
    const isRight = await this.#options.passwords.isRight(credentials);
    return isRight ?? Date.now() - (this.#provenAt.get(key) ?? 0) < PROVEN_FOR_MS;
  }

  async #connect(credentials: Credentials, signal: AbortSignal): Promise<Connection> {
    const { address, passwords, connectRetries } = this.#options;
    const delays = CONNECT_DELAYS_MS.slice(0, connectRetries).values();
    for (;;) {
      try {
        return await Connection.open(address, credentials);
      } catch (error) {
        const delay = isUnreachable(error) ? delays.next().value : undefined;
        if (delay === undefined) {
          throw connectError(error, credentials.user, await passwords.isRight(credentials));
        }
        await sleep(delay, undefined, { signal });
      }
    }
  }

  async #forgetWhenClosed(connection: Connection): Promise<void> {
    await connection.closed;
    this.#open.delete(connection);
    this.#idle = this.#idle.filter((idle) => idle.connection !== connection);
  }

  /** Ends every connection; no request may be in flight. */
  async close(): Promise<void> {
    for (const { timer } of this.#idle) clearTimeout(timer);
    this.#idle = [];
    for (const connection of this.#open) connection.destroy();
    await Promise.all([...this.#open].map(({ closed }) => closed));
    await this.#options.passwords.close();
  }
}

function keyOf({ user, database, password }: Credentials): string {
  return JSON.stringify([user, database, password]);
}
