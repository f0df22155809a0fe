// What a client hands back with its answers: signed, and good for its principal and ten minutes only. It can be read by
// the client, and used more than once.
import { createRequestStateCodec } from "@modelcontextprotocol/server";

/** Where a conversation stands: the number of the round, and what has been answered before. */
export interface Round {
  round: number;
  name?: string;
}

/** @param key at least 32 bytes, the same on every isolate. */
export const createRequestState = (key: string, principal: string) =>
  createRequestStateCodec<Round>({ key, bind: () => principal });

export type RequestState = ReturnType<typeof createRequestState>;
