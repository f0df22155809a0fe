// Whether the Worker can work with what db:migrate has made. Asked before it is committed.
import type { Client } from "pg";
import { isolationRefusal } from "./isolation.ts";
import { tryLife } from "./trial.ts";

/** @throws Error with the reason, and what mends it; the migration is then rolled back. */
export async function proveUsable(client: Client): Promise<void> {
  const reason = (await isolationRefusal(client)) ?? (await tryAsWorker(client));
  if (reason !== undefined) throw new Error(reason);
}

/** With the role's own search_path: a trigger of another program may need a schema of it. */
async function tryAsWorker(client: Client): Promise<string | undefined> {
  const { rows } = await client.query<{ path: string }>("SELECT current_setting('search_path') AS path");
  await client.query("SET LOCAL search_path TO DEFAULT");
  const reason = await tryLife(client);
  await client.query("SELECT set_config('search_path', $1, true)", [rows[0]?.path ?? ""]);
  return reason;
}
