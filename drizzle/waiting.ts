// Waiting for others: how long, and who they are. It is said once for each thing that is waited for.
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientConfig } from "pg";
import { connect } from "./connection.ts";

/** How long db:migrate waits when it is not told. */
// A minute outlasts a deploy's or a report's short transactions, and nobody has to watch a command longer than that.
export const DEFAULT_WAIT_MS = 60_000;

export interface Waiting {
  limitMs: number;
  /** Takes a line for an operator who is watching. */
  say: (line: string) => void;
}

/** Others kept something longer than db:migrate may wait. */
export class WaitedInVain extends Error {
  override name = "WaitedInVain";
}

/** One thing that is waited for. */
export class Wait {
  /** Who was in the way when that was last known. */
  holders: string[] = [];
  readonly #what: string;
  readonly #waiting: Waiting;
  readonly #startedAt = performance.now();
  #wasSaid = false;

  /** @param what such as `for a lock`, or `to build an index` */
  constructor(what: string, waiting: Waiting) {
    this.#what = what;
    this.#waiting = waiting;
  }

  leftMs(): number {
    return Math.max(this.#waiting.limitMs - (performance.now() - this.#startedAt), 0);
  }

  /** Remembers who is in the way, and says it the first time. */
  heldBy(holders: string[]): void {
    if (holders.length === 0) return;
    this.holders = holders;
    if (this.#wasSaid) return;
    this.#wasSaid = true;
    this.#waiting.say(`Waiting ${this.#what}. In the way: ${holders.join("; ")}`);
  }

  /** The reason of having given up. */
  inVain(): WaitedInVain {
    const who = this.holders.length === 0 ? "nobody who could be seen" : this.holders.join("; ");
    return new WaitedInVain(
      `waited ${this.#waiting.limitMs / 1000} s ${this.#what}. In the way: ${who}. End that, or wait longer (--wait SECONDS)`,
    );
  }
}

/** A second connection, which sees who keeps the first one waiting. It is opened when it is needed. */
export class Observer {
  readonly #config: ClientConfig;
  #client: Promise<Client> | undefined;
  #watch: Promise<void> | undefined;

  constructor(config: ClientConfig) {
    this.#config = config;
  }

  /** Runs `work` on the backend `pid`, and tells `seen` who is in its way; first after some time, then again and again. */
  async during<T>(
    { pid, firstMs, everyMs }: { pid: number; firstMs: number; everyMs: number },
    seen: (holders: string[]) => void,
    work: () => Promise<T>,
  ): Promise<T> {
    const over = new AbortController();
    // Before the work begins, because that may last for a shorter time than connecting does.
    this.#client ??= connect(this.#config);
    const client = await this.#client.catch(() => undefined);
    // Not awaited: locks may be held when the work is done. Without a second connection, nobody is named.
    if (client !== undefined) {
      this.#watch = watch(client, pid, [firstMs, everyMs], seen, over.signal).catch(() => {});
    }
    try {
      const result = await work();
      over.abort(DONE);
      return result;
    } finally {
      over.abort();
    }
  }

  /** Waits for the answer of a question that work which has failed has left. */
  async answered(): Promise<void> {
    await this.#watch;
  }

  async end(): Promise<void> {
    await this.#client?.then((client) => client.end()).catch(() => {});
  }
}

/** The work is done, so nobody is in its way any more. */
const DONE = Symbol("done");

async function watch(
  client: Client,
  pid: number,
  [firstMs, everyMs]: [number, number],
  seen: (holders: string[]) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let ms = firstMs; ; ms = everyMs) {
    await sleep(ms, undefined, { signal });
    const found = await blockersOf(client, pid);
    if (signal.reason !== DONE) seen(found);
  }
}

async function blockersOf(client: Client, pid: number): Promise<string[]> {
  const { rows } = await client.query<{ pids: number[] }>("SELECT pg_blocking_pids($1) AS pids", [pid]);
  return describe(client, rows[0]?.pids ?? []);
}

/** One phrase for each backend, without what it runs. The backend 0 is a prepared transaction. */
export async function describe(client: Client, pids: number[]): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(
    `SELECT concat('pid ', a.pid, ' (', concat_ws(', ',
              coalesce('role ' || a.usename, a.backend_type, 'the server'), 'application ' || nullif(a.application_name, ''),
              a.state, 'since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), ')') AS text
       FROM (SELECT DISTINCT pid FROM unnest($1::int[]) AS p (pid)) AS p JOIN pg_stat_activity a USING (pid)
     UNION ALL
     SELECT concat('a prepared transaction (', concat_ws(', ', gid, 'role ' || owner,
              'since ' || to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), ')')
       FROM pg_prepared_xacts WHERE 0 = ANY ($1) AND database = current_database()`,
    [pids],
  );
  return rows.map(({ text }) => text);
}
