// Whether the Worker can work with what db:migrate has made. Asked before it is committed.
import type { Client } from "pg";
import { isolationRefusal } from "./isolation.ts";
import { tryLife } from "./trial.ts";

/** @throws Error with the reason, and what mends it; the migration is then rolled back. */
export async function proveUsable(client: Client): Promise<void> {
  const reason = (await isolationRefusal(client)) ?? (await tryLife(client));
  if (reason !== undefined) throw new Error(reason);
}
