// One connection to PostgreSQL as the proxy uses it: one statement at a time over the extended protocol,
// text in and text out, cancellable, and wiped before somebody else gets it.
import { connect } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { QueryResult } from "pg";
import { Client, Query } from "pg";
import { NeonError, statementError } from "./errors.ts";
import type { Credentials, Statement } from "./request.ts";

/** Where PostgreSQL listens. */
export interface Address {
  host: string;
  port: number;
  /** How to encrypt the connection; not at all when left out. */
  tls?: false | ConnectionOptions;
}

/** How long the JSON of a response is so far; the results of a batch share one. */
export interface ResponseBudget {
  bytes: number;
  readonly maxBytes: number;
}

// Neon's own reset (proxy, tokio-postgres2 client) between two users of a pooled connection; RESET ALL leaves
// SET ROLE alone, SET SESSION AUTHORIZATION DEFAULT does not.
const RESET =
  "ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; " +
  "SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

// A local server answers in milliseconds; one that takes longer is stuck.
const CONNECT_TIMEOUT_MS = 10_000;

// How long Neon lets a cancelled query come to its end (proxy, sql_over_http `process`).
const CANCEL_WAIT_MS = 100;

export class Connection {
  /** Settles when the connection is closed, by either side. */
  readonly closed: Promise<void>;
  #client: Client;
  #address: Address;
  #key: { processID: number; secretKey: number } | undefined;
  #isClosed = false;
  #failure: NeonError | undefined;
  #reset: Promise<unknown> | undefined;
  /** Ends it when a cancelled query goes on. */
  #doom: NodeJS.Timeout | undefined;

  private constructor(client: Client, address: Address) {
    this.#client = client;
    this.#address = address;
    this.closed = new Promise((resolve) => {
      client.on("end", () => {
        this.#isClosed = true;
        resolve();
      });
    });
    // A connection that PostgreSQL ends while it is idle: `closed` tells.
    client.on("error", () => {
      this.#isClosed = true;
    });
    client.connection.on("backendKeyData", (key: { processID: number; secretKey: number }) => {
      this.#key = key;
    });
    // COPY has no meaning here: the proxy gives up on the first message of it.
    for (const copy of ["copyInResponse", "copyOutResponse"]) {
      client.connection.on(copy, () => this.destroy(new NeonError(400, "unexpected message from server")));
    }
  }

  /** @throws DatabaseError when PostgreSQL refuses it, or the error of the network. */
  static async open(address: Address, credentials: Credentials): Promise<Connection> {
    const { host, port, tls = false } = address;
    const client = new Client({
      host,
      port,
      ...credentials,
      ssl: tls,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      types: { getTypeParser: () => (text: string) => text },
    });
    const connection = new Connection(client, address);
    try {
      await client.connect();
    } catch (error) {
      connection.destroy();
      throw error;
    }
    return connection;
  }

  /**
   * Runs one statement.
   * @returns the JSON text of its result.
   * @throws NeonError when it fails; the connection is not fit for reuse then.
   */
  async run({ query, params }: Statement, budget: ResponseBudget): Promise<string> {
    // The message would end at the NUL; Neon's client refuses to encode it.
    if (query.includes("\0")) {
      throw new NeonError(400, "error encoding message to server: string contains embedded null");
    }
    const rows: string[] = [];
    let head: string | undefined;
    const config = { text: query, values: params, rowMode: "array", queryMode: "extended" };
    const running = new Query<string[]>(config);
    const add = (text: string) => {
      budget.bytes += Buffer.byteLength(text);
      return text;
    };
    running.on("row", (row, result) => {
      head ??= add(headOf(result));
      // Before each row, as the proxy does it: the row that goes over the limit is still taken.
      if (budget.bytes > budget.maxBytes) {
        this.destroy(new NeonError(507, `response is too large (max is ${budget.maxBytes} bytes)`));
        return;
      }
      rows.push(add(`${rows.length > 0 ? "," : ""}${JSON.stringify(row)}`));
    });
    try {
      const result = await new Promise<QueryResult>((resolve, reject) => {
        running.on("end", resolve).on("error", reject);
        this.#client.query(running);
      });
      // The end of the result may have been received already when the connection was given up.
      if (this.#failure !== undefined) throw this.#failure;
      head ??= add(headOf(result));
      return `${head}${rows.join("")}${add(tailOf(result))}`;
    } catch (error) {
      throw statementError(error);
    }
  }

  /** Runs a command of our own, outside of any response. */
  async command(text: string): Promise<void> {
    try {
      await this.#client.query(text);
    } catch (error) {
      throw statementError(error);
    }
  }

  /** Starts wiping what the last request left in the session; `isFit` waits for it. */
  startReset(): void {
    clearTimeout(this.#doom);
    this.#reset = this.#client.query(RESET).catch(() => this.close());
  }

  /** Whether it is wiped and alive. */
  async isFit(): Promise<boolean> {
    await this.#reset;
    return !this.#isClosed;
  }

  /** Cancels what it runs with a CancelRequest; a query that then goes on loses its connection. */
  async cancel(): Promise<void> {
    if (this.#key !== undefined) {
      const request = Buffer.alloc(16);
      request.writeInt32BE(request.length, 0);
      request.writeInt32BE(80877102, 4); // CancelRequest's code: 1234 and 5678 (PostgreSQL, Message Formats)
      request.writeInt32BE(this.#key.processID, 8);
      request.writeInt32BE(this.#key.secretKey, 12);
      const socket = connect(this.#address.port, this.#address.host).resume();
      socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy());
      socket.end(request);
      // PostgreSQL answers by closing; when it cannot be reached there is nothing to cancel.
      await new Promise((resolve) => socket.on("error", resolve).on("close", resolve));
    }
    this.#doom = setTimeout(() => this.destroy(), CANCEL_WAIT_MS).unref();
  }

  /** Ends it and waits until PostgreSQL has let go of it, so that nothing of a failed transaction remains. */
  async close(): Promise<void> {
    await Promise.all([this.#client.end(), this.closed]);
  }

  /** Drops the socket; a statement that still runs fails, with `reason` when there is one. */
  destroy(reason?: NeonError): void {
    this.#isClosed = true;
    this.#failure ??= reason;
    this.#client.connection.stream.destroy(reason);
  }
}

/** The JSON of a result up to its rows. */
function headOf({ fields }: Pick<QueryResult, "fields"> | undefined = { fields: [] }): string {
  const columns = fields.map((field) => ({
    name: field.name,
    dataTypeID: field.dataTypeID,
    tableID: field.tableID,
    columnID: field.columnID,
    dataTypeSize: field.dataTypeSize,
    dataTypeModifier: field.dataTypeModifier,
    format: field.format,
  }));
  return `{"fields":${JSON.stringify(columns)},"rows":[`;
}

/** The JSON of a result after its rows. */
function tailOf({ command, rowCount }: QueryResult): string {
  // An empty query has no command tag: pg leaves null, Neon writes "".
  const tag = `"command":${JSON.stringify(command ?? "")},"rowCount":${JSON.stringify(rowCount)}`;
  return `],${tag},"rowAsArray":true}`;
}
