// The trial of a session's life, over TCP and over HTTP, and whether the database is what this checkout makes.
import { type ClientConfig, DatabaseError } from "pg";
import { DatabaseFault } from "../../src/db/fault.ts";
import type { FailedStep, TrialStep } from "../../src/health/trial.ts";
import { causeOf } from "../causes.ts";
import { shortReasonOf } from "../connection.ts";
import { driftOf } from "../migrate.ts";
import { failedStepOf, type RunStatement, sentenceOf } from "../trial.ts";
import type { Finding } from "./finding.ts";

const consequences = {
  open: "Every initialize is refused with 503.",
  resume: "Clients lose the sessions that they open.",
  write_state: "Tools cannot keep anything in a session.",
  set_log_level: "logging/setLevel fails.",
  end: "Clients and operators cannot end sessions, and none can make room for another.",
  record_run: "Every cleanup run fails.",
  delete: "Expired sessions stay in the table.",
} satisfies Record<TrialStep, string>;

/** Plays a session's life over both; what fails in the same way is told once. */
export async function lookAtLife(tcp: RunStatement, http: RunStatement | undefined): Promise<Finding[]> {
  const overTcp = await played(tcp);
  if (http === undefined) return overTcp;
  const overHttp = await played(http);
  return [
    ...overTcp,
    ...overHttp
      .filter(({ what }) => !overTcp.some((finding) => finding.what === what))
      .map((finding) => ({ ...finding, what: `Over HTTP: ${finding.what}` })),
  ];
}

async function played(run: RunStatement): Promise<Finding[]> {
  let failed: FailedStep | undefined;
  try {
    failed = await failedStepOf(run);
  } catch (error) {
    return [cannotBePlayed(error)];
  }
  if (failed === undefined) return [];
  const sentence = sentenceOf(failed);
  return [
    {
      level: "error",
      about: "life",
      what: `${sentence[0]?.toUpperCase()}${sentence.slice(1)}.`,
      means: consequences[failed.step],
      todo: causeOf(failed).todo,
    },
  ];
}

// undefined_table and undefined_function.
const UNMIGRATED = ["42P01", "42883"];

function cannotBePlayed(error: unknown): Finding {
  const isFault = error instanceof DatabaseFault;
  const code = isFault ? error.sqlstate : error instanceof DatabaseError ? error.code : undefined;
  const [what, todo] = UNMIGRATED.includes(code ?? "")
    ? ["The routine mcp_try_session is missing.", "npm run db:migrate"]
    : [
        // A fault has its kind instead of a message, which could hold the password.
        `A session's life could not be tried: ${isFault ? error.message : shortReasonOf(error)}.`,
        "Try again. docs/operate.md, Health, says what each reason means.",
      ];
  return { level: "error", about: "life", what, means: "The Worker will fare no better.", todo };
}

/** What db:migrate would do. */
export async function lookAtDrift(config: ClientConfig, folder: string): Promise<Finding[]> {
  const about = "drift";
  try {
    const lines = (await driftOf(config, folder)).filter((line) => !line.startsWith("Note: "));
    if (lines.length === 0) return [];
    return [
      {
        level: "warning",
        about,
        what: `The database is not as this checkout makes it. ${lines.join(". ")}.`,
        means: "",
        todo: "npm run db:migrate",
      },
    ];
  } catch (error) {
    const isForbidden = error instanceof DatabaseError && error.code === "42501";
    return [
      isForbidden
        ? {
            level: "note",
            about,
            what: "Whether db:migrate is needed was not looked at, because this role may not read mcp_schema_journal.",
            means: "The Worker needs no such right.",
            todo: "As the owner: npm run db:migrate -- --plan",
          }
        : {
            level: "warning",
            about,
            what: `db:migrate would refuse this database: ${shortReasonOf(error)}.`,
            means: "",
            todo: "",
          },
    ];
  }
}
