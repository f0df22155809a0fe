// The database against the ledger, when everything is over. A trigger notes every row that comes and goes, so that
// nothing can have come and gone unseen.
import type { BenchDatabase } from "../system.ts";
import { principalName } from "./client.ts";
import { type KnownSession, type Ledger, possible } from "./ledger.ts";

const WITNESS = `
  CREATE TABLE soak_events (event text NOT NULL, session_id text NOT NULL, name text NOT NULL, was_live boolean NOT NULL);
  CREATE FUNCTION soak_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN
    IF TG_OP = 'DELETE' THEN
      INSERT INTO public.soak_events
      VALUES (TG_OP, OLD.session_id, OLD.client_info ->> 'name', OLD.ended_at IS NULL AND OLD.expires_at > clock_timestamp());
    ELSIF TG_OP = 'UPDATE' THEN
      INSERT INTO public.soak_events VALUES ('REVIVAL', NEW.session_id, NEW.client_info ->> 'name', true);
    ELSE
      INSERT INTO public.soak_events VALUES (TG_OP, NEW.session_id, NEW.client_info ->> 'name', true);
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER soak_witness AFTER INSERT OR DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION soak_note();
  CREATE TRIGGER soak_revival AFTER UPDATE ON mcp_sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL AND (NEW.ended_at IS NULL OR NEW.expires_at > OLD.expires_at))
    EXECUTE FUNCTION soak_note();`;

export async function placeWitness({ ask }: BenchDatabase): Promise<void> {
  await ask(WITNESS);
}

interface Event {
  event: "INSERT" | "DELETE" | "REVIVAL";
  session_id: string;
  name: string;
  was_live: boolean;
}

interface Row {
  session_id: string;
  principal: string;
  name: string;
  is_live: boolean;
  state: Record<string, number> | null;
}

export interface Audit {
  rowsEver: number;
  rows: number;
  liveRows: number;
  deleted: number;
  /** Rows whose `initialize` was answered 503, or not at all: nobody has their ids. */
  unknownRows: number;
}

/** Notes in the ledger what is not as its clients were told. */
export async function audit({ ask }: BenchDatabase, ledger: Ledger): Promise<Audit> {
  const events = await ask<Event>("SELECT event, session_id, name, was_live FROM soak_events");
  const rows = await ask<Row>(`SELECT session_id, principal, client_info ->> 'name' AS name, state,
    ended_at IS NULL AND expires_at > now() AS is_live FROM mcp_sessions`);
  const [runs] = await ask<{ deleted: number }>("SELECT sum(deleted)::int AS deleted FROM mcp_cleanup_runs");
  const known = new Map(ledger.sessions.map((session) => [session.key, session]));
  const table = new Map(rows.map((row) => [row.session_id, row]));
  const insertions = events.filter(({ event }) => event === "INSERT");
  const deletions = events.filter(({ event }) => event === "DELETE");

  checkOpenings(ledger, known, insertions);
  for (const { event, session_id: key, was_live: wasLive } of events) {
    if (event === "REVIVAL") ledger.violate("resurrected", "the row of an ended session became live again");
    if (event !== "DELETE") continue;
    if (wasLive) ledger.violate("lost", "cleanup deleted a live row");
    const fate = known.get(key)?.fate;
    if (fate === undefined || fate === "live") ledger.violate("lost", `cleanup deleted a ${fate} session`);
  }
  for (const session of ledger.sessions) checkSession(ledger, session, table.get(session.key));
  if (runs?.deleted !== deletions.length) {
    ledger.violate("cleanup totals", `${runs?.deleted} recorded, ${deletions.length} rows deleted`);
  }
  if (insertions.length !== rows.length + deletions.length) {
    ledger.violate("rows", `${insertions.length} came, ${deletions.length} went, ${rows.length} are there`);
  }
  return {
    rowsEver: insertions.length,
    rows: rows.length,
    liveRows: rows.filter(({ is_live: isLive }) => isLive).length,
    deleted: deletions.length,
    unknownRows: insertions.filter(({ session_id: key }) => !known.has(key)).length,
  };
}

/** One row for each `initialize` that was acknowledged, at most one for one that was not, none for a refused one. */
function checkOpenings(
  ledger: Ledger,
  known: ReadonlyMap<string, KnownSession>,
  insertions: readonly Event[],
): void {
  const byName = Map.groupBy(insertions, ({ name }) => name);
  for (const [name, opening] of ledger.openings) {
    const made = byName.get(name) ?? [];
    byName.delete(name);
    const isRight =
      opening === "acknowledged"
        ? made.length === 1 && made.every(({ session_id: key }) => known.get(key)?.name === name)
        : made.length <= (opening === "unacknowledged" ? 1 : 0);
    if (!isRight) {
      const rule = made.length === 0 ? "lost" : "duplicated";
      ledger.violate(rule, `an initialize that was ${opening} has made ${made.length} rows`);
    }
  }
  if (byName.size > 0) ledger.violate("duplicated", `${byName.size} rows belong to no initialize`);
}

function checkSession(ledger: Ledger, session: KnownSession, row: Row | undefined): void {
  const { fate, owner } = session;
  if (fate === "live" && row?.is_live !== true) {
    ledger.violate(
      "lost",
      row === undefined ? "a live session has no row" : "a live session's row has ended",
    );
  }
  if (fate === "ended" && row?.is_live === true)
    ledger.violate("resurrected", "an ended session's row is live");
  if (row === undefined) return;
  if (row.principal !== principalName(owner)) {
    ledger.violate("foreign access", "a session's row belongs to another principal");
  }
  for (const key of new Set([...session.state.keys(), ...Object.keys(row.state ?? {})])) {
    const value = row.state?.[key] ?? null;
    if (possible(session, key).some((one) => one === value)) continue;
    ledger.violate(
      "state",
      `the row has ${value} where it may be one of ${JSON.stringify(possible(session, key))}`,
    );
  }
}
