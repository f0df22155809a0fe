// The sessions of one principal, as the author's handlers use them.
import type { OwnSessions } from "../mcp/context.ts";
import type { Session } from "./session.ts";
import type { SessionStore } from "./store.ts";

export function createOwnSessions(
  store: SessionStore,
  principal: string,
  current: Session | undefined,
): OwnSessions {
  return {
    list: () => store.list(principal),
    endOthers: () => store.endOthers(principal, current?.key),
  };
}
