// Knows which password PostgreSQL takes for a role, as Neon's control plane does, so that a pooled connection does not
// outlive the password that opened it. Only a superuser can read that; without one, nobody can say.
import { createHash, createHmac, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { Client } from "pg";
import type { Address } from "./connection.ts";
import type { Credentials } from "./request.ts";

export interface Superuser {
  user: string;
  password: string;
}

/** What was found for a role when it was last asked for: the work of SCRAM is done once for a password. */
interface Known {
  verifier: string;
  password: string;
  isRight: boolean;
}

export class Passwords {
  #address: Address;
  #superuser: Superuser | undefined;
  #client: Promise<Client> | undefined;
  #known = new Map<string, Known>();
  /** One after the other: a connection takes one question at a time. */
  #asking: Promise<unknown> = Promise.resolve();

  constructor(address: Address, superuser: Superuser | undefined) {
    this.#address = address;
    this.#superuser = superuser;
  }

  /** Whether the role has this password now; undefined when that cannot be known. */
  async isRight({ user, password }: Credentials): Promise<boolean | undefined> {
    if (this.#superuser === undefined) return undefined;
    const asked = this.#asking.then(() => this.#verifierOf(user)).catch(() => undefined);
    this.#asking = asked;
    const verifier = await asked;
    if (verifier === undefined) return undefined;
    const known = this.#known.get(user);
    if (known?.verifier === verifier && known.password === password) return known.isRight;
    const isRight = verifier !== null && (await fits(verifier, password));
    this.#known.set(user, { verifier: verifier ?? "", password, isRight });
    return isRight;
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    await client?.end();
  }

  /** The SCRAM verifier of a role; null when it has none, or there is no such role. */
  async #verifierOf(user: string): Promise<string | null> {
    this.#client ??= this.#connect();
    const client = await this.#client;
    const { rows } = await client.query<{ rolpassword: string | null }>(
      "SELECT rolpassword FROM pg_authid WHERE rolname = $1",
      [user],
    );
    return rows[0]?.rolpassword ?? null;
  }

  async #connect(): Promise<Client> {
    const { host, port, tls = false } = this.#address;
    const client = new Client({ host, port, ...this.#superuser, database: "postgres", ssl: tls });
    const forget = () => {
      this.#client = undefined;
    };
    client.on("error", forget).on("end", forget);
    try {
      await client.connect();
    } catch (error) {
      forget();
      throw error;
    }
    return client;
  }
}

const VERIFIER = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):/;

/** Whether a verifier was made of this password (RFC 5802 §3; PostgreSQL, pg_authid). */
async function fits(verifier: string, password: string): Promise<boolean> {
  const [, iterations, salt = "", storedKey] = VERIFIER.exec(verifier) ?? [];
  const salted = await promisify(pbkdf2)(
    password.normalize("NFKC"),
    Buffer.from(salt, "base64"),
    Number(iterations),
    32, // The length of a SHA-256
    "sha256",
  );
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  return createHash("sha256").update(clientKey).digest("base64") === storedKey;
}
