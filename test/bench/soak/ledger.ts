// What the clients know for certain, and what they cannot know: the model that every answer is held against.
import { createHash } from "node:crypto";

/** `ending`: its DELETE was not answered, so it may be live or not. */
export type Fate = "live" | "ending" | "ended";

/** A session whose `initialize` was acknowledged. */
export interface KnownSession {
  id: string;
  /** Its key in the database. */
  key: string;
  /** The principal's number. */
  owner: number;
  /** What its client called itself: a name of its own for every `initialize`. */
  name: string;
  fate: Fate;
  /** When it was known to have ended, by performance.now(). */
  endedAt: number;
  /** What each value may be: the one that was acknowledged last, and those sent since without an answer. */
  state: Map<string, (number | null)[]>;
}

/** How an `initialize` ended for its client; `refused` is 429. */
export type Opening = "acknowledged" | "unacknowledged" | "refused";

export class Ledger {
  readonly sessions: KnownSession[] = [];
  /** By the name that the client gave itself. */
  readonly openings = new Map<string, Opening>();
  /** What must not be, in the order it was found. Without session ids. */
  readonly violations: string[] = [];

  violate(rule: string, detail: string): void {
    this.violations.push(`${rule}: ${detail}`);
  }

  open(id: string, owner: number, name: string): KnownSession {
    const key = createHash("sha256").update(id).digest("hex");
    const session: KnownSession = { id, key, owner, name, fate: "live", endedAt: 0, state: new Map() };
    this.sessions.push(session);
    return session;
  }
}

/** The rule that a violation names. */
export function ruleOf(violation: string): string {
  return violation.split(":")[0] ?? "";
}

export function end(session: KnownSession): void {
  if (session.fate === "ended") return;
  session.fate = "ended";
  session.endedAt = performance.now();
}

/** A value that was sent: it is the one, or it may be. */
export function note(session: KnownSession, key: string, value: number, isAcknowledged: boolean): void {
  session.state.set(key, isAcknowledged ? [value] : [...possible(session, key), value]);
}

/** What may be read; null is a value that is not there. */
export function possible({ state }: KnownSession, key: string): (number | null)[] {
  return state.get(key) ?? [null];
}
