// What the bench uses of connect-pg-simple, which has no types of its own.
declare module "connect-pg-simple" {
  import type { Pool } from "pg";
  class PgStore {
    constructor(options: { pool: Pool; pruneSessionInterval: false });
    pruneSessions(done: (error?: unknown) => void): void;
  }
  export default function connectPgSimple(session: { Store: unknown }): typeof PgStore;
}
