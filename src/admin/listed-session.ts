// What an operator may see of a session. Pure.
import * as z from "zod";
import { endReasons } from "../session/session.ts";

const time = z.iso.datetime().nullable();

/** What an operator may see of a session. Times are ISO 8601; those outside the years 1 to 9999 are null. */
export const listedSession = z.object({
  handle: z.guid().describe("Names the session in these routes. The id cannot be computed from it"),
  session: z.string().nullable().describe("The name in the logs; null for a session of another program"),
  principal: z.string().nullable().describe("Who opened it; null for a session of another program"),
  issuer: z.string().optional().describe("When a token opened it: whose token. As `iss` has it"),
  subject: z.string().optional().describe("When a token opened it: who bore it. As `sub` has it"),
  state: z.enum(["active", "expired"]),
  protocol_version: z.string().nullable(),
  client_name: z.string().nullable(),
  client_version: z.string().nullable(),
  created_at: time,
  last_active: time,
  expires_at: time.describe("Null of an active session: never, or after the year 9999"),
  ended_at: time,
  end_reason: z
    .string()
    .nullable()
    .describe(`One of ${endReasons.join(", ")}; null unless it was ended`),
});

export type ListedSession = z.infer<typeof listedSession>;

/** More of a session, without what its client keeps in it: also the names of its keys may be somebody's data. */
export interface SessionDetail extends ListedSession {
  log_level: string | null;
  /** The names of the capabilities, CAPABILITIES_SHOWN at most. */
  capabilities: string[];
  /** Null: the document of the session is empty. */
  state_bytes: number | null;
  state_keys: number;
  state_version: number | null;
}
