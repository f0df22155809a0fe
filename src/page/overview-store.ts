// What the overview shows: the census, and figures beside it, in one statement.
import type { Census } from "../health/grade.ts";
import type { HealthStore } from "../health/store.ts";

export interface Figures {
  /** The active session that expires next: as a rule the one that was longest without a request. Null: none is active. */
  oldestActive: { lastActive: Date | null; expiresAt: Date } | null;
  /** For how long the records of the last 24 hours show that the compute was awake: a lower bound. */
  awakeSeconds: number;
}

export interface Overview {
  census: Census;
  figures: Figures;
  /** The round trip to the database, as the Worker measured it. */
  tookMs: number;
  takenAt: Date;
}

export interface OverviewStore {
  /** As takeCensus of HealthStore, with its faults. */
  takeOverview(overdueSeconds: number): Promise<Overview>;
}

/** What the smallest compute of Neon uses in so many seconds, in CU-hours. */
export declare function cuHours(seconds: number): number;

export declare function createOverviewStore(health: HealthStore, options: { now: () => Date }): OverviewStore;
