// The trace that an operator leaves who ends sessions, handles and tasks.
import { logOf } from "../log.ts";

const log = logOf("admin", {
  info: {
    "MCP sessions ended": {
      meaning:
        "An operator, `by`, has ended a session, or the sessions of a principal. The page of operators also says which session.",
      fields: ["by", "principal", "session", "ended", "reason"],
    },
    "MCP handle ended": {
      meaning: "An operator, `by`, has ended a handle of `principal`.",
      fields: ["by", "principal", "handle", "reason"],
    },
    "MCP task cancelled": {
      meaning: "An operator, `by`, has cancelled a task of `principal`.",
      fields: ["by", "principal", "task", "reason"],
    },
  },
});

export const logEnd = (end: {
  by: string;
  principal?: string;
  session?: string | undefined;
  ended: number;
}) => log.info("MCP sessions ended", { ...end, reason: "operator" });

/** @param key of the row. Its name in the logs is what the key begins with. */
export function logEndOf(
  what: "handle" | "task",
  { by, principal, key }: { by: string; principal: string; key: string },
): void {
  const trace = { by, principal, reason: "operator" };
  if (what === "handle") log.info("MCP handle ended", { ...trace, handle: key.slice(0, 8) });
  else log.info("MCP task cancelled", { ...trace, task: key.slice(0, 8) });
}
