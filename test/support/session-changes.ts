// The rows of mcp_session_changes, which an insert merges by chance.

/** PL/pgSQL after which the next few inserts of its connection merge nothing: their chance is the same each time. */
export const NO_MERGE = "PERFORM setseed(0.5)";
