// The trace that an operator leaves who ends sessions.
import { logOf } from "../log.ts";

const log = logOf("admin", {
  info: {
    "MCP sessions ended": {
      meaning:
        "An operator, `by`, has ended a session, or the sessions of a principal. The page of operators also says which session.",
      fields: ["by", "principal", "session", "ended", "reason"],
    },
  },
});

export const logEnd = (end: {
  by: string;
  principal?: string;
  session?: string | undefined;
  ended: number;
}) => log.info("MCP sessions ended", { ...end, reason: "operator" });
