// Clients that use sessions while they are cleaned up.
import type { Client } from "pg";

export const CLIENTS = 8;
const TOUCHES_PER_SECOND = 1000;

/** Touches live sessions at a fixed rate; every touch writes. Time counts from when it was due. */
export async function touchUntil(
  done: AbortSignal,
  client: Client,
  live: { id: string }[],
  offset: number,
  touches: number[],
): Promise<void> {
  const pauseMs = (CLIENTS / TOUCHES_PER_SECOND) * 1000;
  let due = performance.now() + (offset / CLIENTS) * pauseMs;
  for (let i = offset; !done.aborted; i += CLIENTS) {
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const startedAt = performance.now();
    await client.query(
      "UPDATE mcp_sessions SET last_active = now() WHERE session_id = $1 AND expires_at > now()",
      [live[i % live.length]?.id],
    );
    touches.push(performance.now() - startedAt);
    due = Math.max(due + pauseMs, performance.now() - pauseMs);
  }
}
