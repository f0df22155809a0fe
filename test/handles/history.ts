// One history of handles: what two principals have done so far, and what must hold of it. The value of each handle is the list of
// the changes that were made to it.
import { expect } from "vitest";
import { nameOf, setFaults } from "../support/worker.ts";
import { keyOfHandle } from "../../src/handles/handle-id.ts";
import { HandleError } from "../../src/handles/handles.ts";
import { storeOf } from "../support/cleanup.ts";
import { stored, TTL_SECONDS, type Stored } from "./stored.ts";

export const MAX_HANDLES = 4;
export const principals = ["alice", "bob"] as const;
export type Principal = (typeof principals)[number];

export interface Handle {
  id: string;
  key: string;
  owner: Principal;
  isSliding: boolean;
  /** How long it still lives. */
  leftSeconds: number;
  /** What must be in its value: the changes that were acknowledged. */
  done: string[];
  /** `open`: whether it lives is decided in this round. */
  fate: "live" | "open" | "dead";
  lastVersion: number;
}

export class History {
  readonly handles: Handle[] = [];
  readonly tried: Record<string, number>;
  readonly #stored: Stored;
  readonly #cleanups;
  readonly #issued = new Set<string>();
  /** Handles that are being made in this round, and those that somebody may have to give up for them. */
  #made: Record<Principal, number> = { alice: 0, bob: 0 };

  constructor(store: Stored, tried: Record<string, number>) {
    this.#stored = store;
    this.#cleanups = storeOf(store.database, { batchSize: 2 });
    this.tried = tried;
  }

  static async of(store: Stored, tried: Record<string, number>): Promise<History> {
    await store.database.query("DELETE FROM mcp_handles");
    return new History(store, tried);
  }

  #count(what: string): void {
    this.tried[what] = (this.tried[what] ?? 0) + 1;
  }

  /** Before a round: who has too many then loses some. */
  expectMade(owner: Principal): void {
    this.#made[owner]++;
    const live = this.handles.filter((handle) => handle.owner === owner && handle.fate === "live");
    if (live.length + this.#made[owner] > MAX_HANDLES) for (const handle of live) handle.fate = "open";
  }

  async make(owner: Principal, isSliding: boolean): Promise<void> {
    const { handle: id } = await this.#stored.own(owner).make("log", [], { sliding: isSliding });
    const key = await keyOfHandle(id);
    this.handles.push({
      id,
      key,
      owner,
      isSliding,
      leftSeconds: TTL_SECONDS,
      done: [],
      fate: "live",
      lastVersion: 1,
    });
    this.#count("made");
  }

  /** Adds to the value, atomically. */
  async update(handle: Handle): Promise<void> {
    const change = this.#issue();
    const before = handle.fate;
    const entry = await known(
      this.#stored.own(handle.owner).update(handle.id, ({ value }) => [...(value as string[]), change]),
    );
    this.#judge(handle, before, entry !== "unknown_handle", "updated");
    if (typeof entry !== "string") this.#acknowledge(handle, change, entry.version);
  }

  /** Adds to the value as it was read, if nobody has changed it since. */
  async change(handle: Handle): Promise<void> {
    const change = this.#issue();
    const before = handle.fate;
    const own = this.#stored.own(handle.owner);
    const read = await own.read(handle.id);
    this.#judge(handle, before, read !== undefined, "read");
    if (read === undefined) return;
    const changed = await known(
      own.change(handle.id, [...(read.value as string[]), change], { ifVersion: read.version }),
    );
    if (changed === "version_mismatch") return this.#count("came too late");
    this.#judge(handle, before, changed !== "unknown_handle", "changed");
    if (typeof changed !== "string") this.#acknowledge(handle, change, changed.version);
  }

  async endBy(handle: Handle, by: "owner" | "operator"): Promise<void> {
    const before = handle.fate;
    if (handle.fate === "live") handle.fate = "open";
    const isEnded =
      by === "owner"
        ? await this.#stored.own(handle.owner).end(handle.id)
        : await this.#stored.store.end(handle.key, undefined);
    this.#judge(handle, before, isEnded || before === "open", `ended by ${by}`);
    if (isEnded) handle.fate = "dead";
  }

  /** Somebody else tries everything, and nothing happens. */
  async intrude(handle: Handle): Promise<void> {
    const other = this.#stored.own(handle.owner === "alice" ? "bob" : "alice");
    expectSame(await other.read(handle.id), undefined);
    expectSame(await known(other.change(handle.id, ["intruded"])), "unknown_handle");
    expectSame(await other.end(handle.id), false);
    this.#count("intruded");
  }

  async clean(): Promise<void> {
    await this.#cleanups.clean("regular", new Date());
    this.#count("cleaned");
  }

  /** The answer of the next statement is lost, after its commit. */
  async lose(routine: string): Promise<void> {
    await setFaults({
      fault: { kind: "lost-after-commit" },
      matching: routine,
      times: 1,
      database: nameOf(this.#stored.database.url),
    });
    this.#count("lost");
  }

  async pass(seconds: number): Promise<void> {
    await this.#stored.pass(seconds);
    for (const handle of this.handles) {
      handle.leftSeconds -= seconds;
      if (handle.fate === "live" && handle.leftSeconds <= 0) {
        handle.fate = "dead";
        this.#count("expired");
      }
    }
  }

  /** What must hold whenever nothing is going on. */
  async endRound(): Promise<void> {
    await setFaults();
    const rows = await this.#stored.database.query(
      "SELECT handle_hash, owner, value, version, expires_at > now() AS is_live FROM mcp_handles",
    );
    for (const handle of this.handles) {
      const row = rows.find(({ handle_hash: key }) => key === handle.key);
      const isLive = row?.["is_live"] === true;
      if (handle.fate === "open") {
        if (!isLive) this.#count("lost to a newer one, or ended");
        handle.fate = isLive ? "live" : "dead";
      }
      expectSame([handle.key, isLive], [handle.key, handle.fate === "live"]);
      if (!isLive) continue;
      const value = JSON.parse(String(row["value"])) as string[];
      expectSame(new Set(value).size, value.length);
      expectSame(value.toSorted(), handle.done.toSorted());
      expectSame(row["version"], value.length + 1);
    }
    for (const owner of principals) {
      const own = rows.filter((row) => row["owner"] === owner);
      expectSame(own.length <= MAX_HANDLES, true);
      const live = this.handles.filter((handle) => handle.owner === owner && handle.fate === "live");
      expectSame((await this.#stored.own(owner).list()).length, live.length);
    }
    this.#made = { alice: 0, bob: 0 };
  }

  #issue(): string {
    const change = `change ${this.#issued.size}`;
    this.#issued.add(change);
    return change;
  }

  #acknowledge(handle: Handle, change: string, version: number): void {
    handle.done.push(change);
    // Each version is made once. Those of one round come back in any order.
    expectSame(version > 1, true);
    handle.lastVersion = Math.max(handle.lastVersion, version);
  }

  #judge(handle: Handle, before: Handle["fate"], isFound: boolean, what: string): void {
    if (before === "dead") expectSame([what, isFound], [what, false]);
    if (before === "live" && handle.fate === "live") expectSame([what, isFound], [what, true]);
    if (isFound && handle.isSliding) handle.leftSeconds = TTL_SECONDS;
    this.#count(isFound ? what : `not ${what}`);
  }
}

/** What was done, or why it was refused. */
async function known<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof HandleError)) throw error;
    return error.code;
  }
}

function expectSame(actual: unknown, expected: unknown): void {
  expect(actual).toEqual(expected);
}

export const historyStore = () => stored({ maxPerPrincipal: MAX_HANDLES });
