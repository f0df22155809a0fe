// The way to Neon: one HTTP request a statement, each with a deadline of its own. The only neon().
import { neon, neonConfig } from "@neondatabase/serverless";
import { drizzle, type NeonHttpDatabase } from "drizzle-orm/neon-http";
import { DatabaseFault, faultOf } from "./fault.ts";

export interface Database {
  /**
   * Runs `work` on a client that gives up after `timeoutMs`, connecting and reading included.
   * @param operation names the work in the fault's message.
   * @throws DatabaseFault, whatever went wrong.
   */
  run<T>(operation: string, timeoutMs: number, work: (db: NeonHttpDatabase) => Promise<T>): Promise<T>;
}

const neonEndpoint = neonConfig.fetchEndpoint;

/**
 * Connects nothing yet: Neon over HTTP has no connection to keep.
 * @param endpointOverride URL to send the statements to instead of Neon's, for development; empty for none.
 */
export function connect({ url, endpointOverride }: { url: string; endpointOverride: string }): Database {
  return {
    async run(operation, timeoutMs, work) {
      // The driver has this setting once for all clients (@neondatabase/serverless, CONFIG.md).
      neonConfig.fetchEndpoint = endpointOverride === "" ? neonEndpoint : endpointOverride;
      // A client an operation, because the driver takes an abort signal for a client, not for a statement.
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        return await work(drizzle(neon(url, { fetchOptions: { signal } })));
      } catch (thrown) {
        throw new DatabaseFault(operation, faultOf(thrown, signal.aborted));
      }
    },
  };
}
