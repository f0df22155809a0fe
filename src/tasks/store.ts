// All SQL of tasks but that which finds the due ones: due-store.ts.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import { epochMilliseconds } from "../db/time.ts";
import { LOST_ERROR, type OnLost, type TaskStatus, taskStatuses } from "./task.ts";

/** How long whoever has taken a task is known to be alive, in seconds. Work in a request ends 30 s after it. */
export const LEASE_SECONDS = 35;
/** How long it may take until a task is taken, in seconds. Then it is due, and somebody else is asked. A Queue needs some. */
export const START_SECONDS = 30;

/** All answers of a client to one task: as much as a request may bring. */
export const ANSWERS_BYTES = 1024 * 1024;
/** The result of a task, as JSON text. A principal may have a thousand of them. */
export const RESULT_BYTES = 1024 * 1024;

export interface NewTask {
  key: string;
  owner: string;
  tool: string;
  /** JSON text. */
  call: string;
  onLost: OnLost;
  maxAttempts: number;
  pollMs: number;
  ttlSeconds: number;
}

/** A task, as its client may see it. */
export interface Task {
  status: TaskStatus;
  /** The result or the error, once it has one. */
  result: unknown;
  /** The questions that are not answered yet, by their keys. */
  inputRequests: Record<string, unknown>;
  statusMessage: string | null;
  createdAt: Date;
  updatedAt: Date;
  expiresAt: Date;
  pollMs: number;
  /** Nobody runs it: somebody must be asked. */
  isDue: boolean;
}

export interface TakenTask {
  outcome: "taken";
  owner: string;
  /** As it was made. */
  call: unknown;
  /** All so far, by the keys of their questions. */
  answers: { key: string; answer: unknown }[];
  requestState: string | null;
  attempt: number;
  /** Another one each time that the task is taken. */
  version: number;
}

/** `busy`: somebody has the lease. `over`: there is nothing to run any more, or nothing yet. */
export type Taking = TakenTask | { outcome: "busy" | "over" };

export interface Ending {
  status: "completed" | "failed";
  /** JSON text: the result, or the error. */
  result: string;
}

/** Every method is one round trip, is atomic, may be repeated, and @throws DatabaseFault. */
export interface TaskStore {
  /** When it was made; undefined when its owner has too many that are alive. */
  create(task: NewTask): Promise<Date | undefined>;
  /** Undefined: unknown, expired, or somebody else's. */
  get(key: string, owner: string): Promise<Task | undefined>;
  /** Undefined: no such task. `ready`: to be started. */
  answer(
    key: string,
    owner: string,
    answers: Record<string, unknown>,
  ): Promise<"ready" | "taken" | "too_large" | undefined>;
  /** Undefined: no such task. @param owner null: an operator asks. */
  cancel(key: string, owner: string | null): Promise<"cancelled" | "ended" | undefined>;
  /** @param claim a random name, which is then that of the lease. */
  take(key: string, claim: string): Promise<Taking>;
  /** Whether the work is still wanted. */
  renew(key: string, claim: string): Promise<boolean>;
  /** Whether this is how the task has ended. */
  finish(key: string, claim: string, ending: Ending): Promise<boolean>;
  /** Whether the task waits for answers. @param questions by their keys. */
  ask(
    key: string,
    claim: string,
    questions: Record<string, unknown>,
    requestState: string | undefined,
  ): Promise<boolean>;
}

const json = z.string().transform((text): unknown => JSON.parse(text));
const object = json.pipe(z.record(z.string(), z.unknown()));
const time = z.coerce.number().transform((milliseconds) => new Date(milliseconds));

const creation = z.tuple([z.object({ created_at: time.nullable() })]);
const taskRow = z
  .object({
    status: z.enum(taskStatuses),
    result: json.nullable(),
    input_requests: object.nullable(),
    input_keys: z.array(z.string()).nullable(),
    status_message: z.string().nullable(),
    created_at: time,
    updated_at: time,
    expires_at: time,
    poll_ms: z.number(),
    is_due: z.boolean(),
  })
  .transform(({ status, result, input_requests: asked, input_keys: open, ...row }): Task => ({
    status,
    result,
    inputRequests: Object.fromEntries((open ?? []).map((key) => [key, asked?.[key]])),
    statusMessage: row.status_message,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.expires_at,
    pollMs: row.poll_ms,
    isDue: row.is_due,
  }));
const given = json.pipe(z.object({ key: z.string(), answer: z.unknown() }));
const takings = z.tuple([
  z.discriminatedUnion("outcome", [
    z.object({ outcome: z.enum(["busy", "over"]) }),
    z
      .object({
        outcome: z.literal("taken"),
        owner: z.string(),
        call: json,
        input_responses: z.array(given).nullable(),
        request_state: z.string().nullable(),
        attempt: z.number(),
        version: z.number(),
      })
      .transform(({ input_responses: answers, request_state: requestState, ...row }): TakenTask => ({
        ...row,
        answers: answers ?? [],
        requestState,
      })),
  ]),
]);
const outcomes = <const T extends readonly string[]>(values: T) =>
  z.tuple([z.object({ outcome: z.enum(values).nullable() })]);
const answerings = outcomes(["ready", "taken", "too_large"]);
const cancellations = outcomes(["cancelled", "ended"]);
const decision = z.tuple([z.object({ is_done: z.boolean() })]);

const texts = (values: readonly string[]) =>
  sql`ARRAY(SELECT json_array_elements_text(${JSON.stringify(values)}::json))`;

export function createTaskStore(
  database: Database,
  { timeoutMs, maxPerPrincipal }: { timeoutMs: number; maxPerPrincipal: number },
): TaskStore {
  const rowsOf = async (name: string, statement: SQL) =>
    database.run({ name, budgetMs: timeoutMs, isIdempotent: true }, async (db) => {
      const { rows } = await db.execute(statement);
      return rows;
    });

  return {
    async create({ key, owner, tool, call, onLost, maxAttempts, pollMs, ttlSeconds }) {
      const rows = await rowsOf(
        "making a task",
        sql`SELECT ${epochMilliseconds("created_at")} AS created_at
              FROM mcp_create_task(${key}, ${owner}, ${tool}, ${call}, ${onLost}, ${maxAttempts}, ${pollMs}, ${ttlSeconds},
                                   ${START_SECONDS}, ${maxPerPrincipal}) AS created_at`,
      );
      return creation.parse(rows)[0].created_at ?? undefined;
    },

    async get(key, owner) {
      const rows = await rowsOf(
        "reading a task",
        sql`SELECT status, result, input_requests, array_to_json(input_keys) AS input_keys, status_message, poll_ms,
                   ${epochMilliseconds("created_at")} AS created_at, ${epochMilliseconds("updated_at")} AS updated_at,
                   ${epochMilliseconds("expires_at")} AS expires_at,
                   coalesce(status = 'working' AND leased_until <= clock_timestamp(), false) AS is_due
              FROM mcp_tasks WHERE task_hash = ${key} AND owner = ${owner} AND expires_at > clock_timestamp()`,
      );
      return rows.length === 0 ? undefined : taskRow.parse(rows[0]);
    },

    async answer(key, owner, answers) {
      const keys = Object.keys(answers);
      const said = keys.map((question) => JSON.stringify({ key: question, answer: answers[question] }));
      const rows = await rowsOf(
        "answering a task",
        sql`SELECT mcp_answer_task(${key}, ${owner}, ${texts(keys)}, ${texts(said)}, ${ANSWERS_BYTES},
                                   ${START_SECONDS}) AS outcome`,
      );
      return answerings.parse(rows)[0].outcome ?? undefined;
    },

    async cancel(key, owner) {
      const rows = await rowsOf(
        "cancelling a task",
        sql`SELECT mcp_cancel_task(${key}, ${owner}) AS outcome`,
      );
      return cancellations.parse(rows)[0].outcome ?? undefined;
    },

    async take(key, claim) {
      const rows = await rowsOf(
        "taking a task",
        sql`SELECT outcome, owner, call, array_to_json(input_responses) AS input_responses, request_state, attempt, version
              FROM mcp_take_task(${key}, ${claim}, ${LEASE_SECONDS}, ${JSON.stringify(LOST_ERROR)})`,
      );
      return takings.parse(rows)[0];
    },

    async renew(key, claim) {
      const rows = await rowsOf(
        "renewing a lease",
        sql`UPDATE mcp_tasks SET leased_until = clock_timestamp() + ${LEASE_SECONDS} * interval '1 second'
             WHERE task_hash = ${key} AND lease = ${claim} AND status = 'working' AND expires_at > clock_timestamp()
            RETURNING true AS is_done`,
      );
      return rows.length > 0;
    },

    async finish(key, claim, { status, result }) {
      const rows = await rowsOf(
        "ending a task",
        sql`SELECT mcp_finish_task(${key}, ${claim}, ${status}, ${result}) AS is_done`,
      );
      return decision.parse(rows)[0].is_done;
    },

    async ask(key, claim, questions, requestState) {
      const rows = await rowsOf(
        "asking for a task",
        sql`SELECT mcp_ask_task(${key}, ${claim}, ${JSON.stringify(questions)}, ${texts(Object.keys(questions))},
                                ${requestState ?? null}) AS is_done`,
      );
      return decision.parse(rows)[0].is_done;
    },
  };
}
