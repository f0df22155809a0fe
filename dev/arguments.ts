// The arguments of `npm run dev`.
import { parseArgs } from "node:util";
import { Failure } from "./failure.ts";

export interface Arguments {
  /** The port that the Worker must have; undefined for any. */
  port: number | undefined;
  /** The connection string of a PostgreSQL to use; undefined for the one of .dev.vars, or the embedded one. */
  database: string | undefined;
  /** Whether its table may be converted. */
  convert: boolean;
  /** Whether the Worker of examples/sign-in runs, too. */
  signIn: boolean;
}

const USAGE = `Usage: npm run dev -- [--port N] [--sign-in] [--database URL [--convert]]
  --port N        the port of the Worker, from 1 to 65535
  --sign-in       also runs the Worker of examples/sign-in, so that clients can use OAuth
  --database URL  a PostgreSQL to use instead of the embedded one: postgresql://role@host:port/database. It is migrated,
                  and the crons delete its expired sessions. The password can be in PGPASSWORD instead of the URL.
  --convert       converts the columns of its mcp_sessions that do not fit`;

/** @throws Failure with the usage, and with no argument in it: one may be a password */
export function readArguments(args: string[]): Arguments {
  try {
    const { values } = parseArgs({
      args,
      options: {
        port: { type: "string" },
        database: { type: "string" },
        convert: { type: "boolean" },
        "sign-in": { type: "boolean" },
      },
    });
    const { port, database, convert = false, "sign-in": signIn = false } = values;
    const isPort =
      port === undefined || (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535);
    if (isPort && database !== "" && (database !== undefined || !convert)) {
      return { port: port === undefined ? undefined : Number(port), database, convert, signIn };
    }
  } catch {
    // An unknown argument, which the usage answers.
  }
  throw new Failure(USAGE);
}
