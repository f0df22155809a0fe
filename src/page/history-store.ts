// What has happened with sessions and cleanup runs, hour by hour or day by day, for the charts.
import type { Database } from "../db/client.ts";

export const historyWindows = ["day", "week", "month"] as const;
export type HistoryWindow = (typeof historyWindows)[number];

/** An hour (day, week) or a day (month) in UTC. */
export interface HistoryPoint {
  /** When it begins: ISO 8601. */
  from: string;
  opened: number;
  ended: number;
  expired: number;
  deleted: number;
  /** Of the cleanup runs that began in it: how many, how many failed, what they deleted, how long the longest took. */
  runs: number;
  runsFailed: number;
  runsDeleted: number;
  longestRunMs: number | null;
}

export interface History {
  /** In the order of time, without gaps. The last one is not over. */
  points: HistoryPoint[];
  /** The first hour that was counted: ISO 8601. What is before is 0 and not known. Null: nothing was counted yet. */
  since: string | null;
  /** The database's clock: ISO 8601. */
  takenAt: string;
}

export interface HistoryStore {
  /**
   * The last 25 hours, the last 169 hours, or the last 31 days; the last of them is not over.
   * @throws DatabaseFault `schema_missing` when db:migrate must be run first
   */
  history(window: HistoryWindow): Promise<History>;
}

export declare function createHistoryStore(database: Database, options: { timeoutMs: number }): HistoryStore;
