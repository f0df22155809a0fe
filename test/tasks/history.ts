// What has happened to tasks in one random history, and what must hold of it whatever came at once.
import type { DueStore } from "../../src/tasks/due-store.ts";
import { LEASE_SECONDS, type TaskStore } from "../../src/tasks/store.ts";
import { LOST_ERROR, type OnLost } from "../../src/tasks/task.ts";
import { fire, REGULAR_CRON, type TestDatabase } from "../support/worker.ts";

export const TTL_SECONDS = 600;
/** Real time passes, too. A lease of which so much has passed may be alive or not. */
const SURELY_ALIVE_SECONDS = 15;
/** Nor is it known whether a task that expires in so much time is there still. */
const REAL_SECONDS = 100;
const ENDED = ["completed", "cancelled", "failed"];

export interface TaskModel {
  key: string;
  owner: string;
  maxAttempts: number;
  expiresAt: number;
  /** The questions of all rounds, and what the owner has said to each. */
  said: Map<string, unknown[]>;
  /** What a runner was given first. */
  given: Map<string, unknown>;
  /** Of each round of questions: how many times it was begun. */
  begun: Map<number, number>;
  endings: Set<string>;
  lease: { claim: string; since: number } | undefined;
  end: { status: unknown; result: unknown } | undefined;
}

export interface Run {
  task: TaskModel;
  claim: string;
  version: number;
}

type Verb = "taken" | "asked" | "finished";

export interface Parts {
  database: TestDatabase;
  store: TaskStore;
  due: DueStore;
  tried: Record<string, number>;
}

export class History {
  readonly tasks: TaskModel[] = [];
  readonly runs: Run[] = [];
  /** What has succeeded in this round. */
  #round: { verb: Verb; key: string }[] = [];
  /** Seconds that have passed. */
  #now = 0;
  #told = 0;

  readonly database: TestDatabase;
  readonly store: TaskStore;
  readonly due: DueStore;
  /** How much of each kind has happened. */
  readonly tried: Record<string, number>;

  constructor({ database, store, due, tried }: Parts) {
    this.database = database;
    this.store = store;
    this.due = due;
    this.tried = tried;
  }

  #count(what: string): void {
    this.tried[what] = (this.tried[what] ?? 0) + 1;
  }

  async create(owner: string, onLost: OnLost, maxAttempts: number): Promise<void> {
    const key = crypto.randomUUID();
    const more = { tool: "work", call: "{}", pollMs: 1000, ttlSeconds: TTL_SECONDS };
    await this.store.create({ key, owner, onLost, maxAttempts, ...more });
    this.tasks.push({
      key,
      owner,
      maxAttempts: onLost === "fail" ? 1 : maxAttempts,
      expiresAt: this.#now + TTL_SECONDS,
      said: new Map(),
      given: new Map(),
      begun: new Map(),
      endings: new Set(),
      lease: undefined,
      end: undefined,
    });
    this.#count("created");
  }

  async take(task: TaskModel): Promise<void> {
    const claim = crypto.randomUUID();
    const before = task.lease;
    const wasAlive = before !== undefined && this.#now - before.since < SURELY_ALIVE_SECONDS;
    const taken = await this.store.take(task.key, claim);
    this.#count(taken.outcome);
    if (taken.outcome !== "taken") return;
    refute(task.end !== undefined, "an ended task was taken");
    this.#round.push({ verb: "taken", key: task.key });
    const inRound = (verb: Verb) =>
      this.#round.filter((one) => one.verb === verb && one.key === task.key).length;
    const takings = inRound("taken") + (wasAlive ? 1 : 0);
    refute(takings > 1 + inRound("asked"), "a task was taken from a runner that is alive");
    task.lease = { claim, since: this.#now };
    this.runs.push({ task, claim, version: taken.version });
    for (const { key, answer } of taken.answers) {
      refute(task.said.get(key)?.includes(answer) !== true, "an answer that its owner has not given");
      refute(task.given.has(key) && task.given.get(key) !== answer, "an answer has changed");
      task.given.set(key, answer);
    }
    const keys = new Set(taken.answers.map(({ key }) => key));
    refute(keys.size !== taken.answers.length, "a question was answered twice");
    const leg = taken.answers.length;
    task.begun.set(leg, (task.begun.get(leg) ?? 0) + 1);
    refute(Number(task.begun.get(leg)) > task.maxAttempts, "begun too often");
  }

  async renew({ task, claim }: Run): Promise<void> {
    if (!(await this.store.renew(task.key, claim))) return;
    this.#count("renewed");
    if (task.lease?.claim === claim) task.lease.since = this.#now;
  }

  async finish({ task, claim }: Run, status: "completed" | "failed", times: number): Promise<void> {
    const ending = { status, result: endingBy(claim) };
    const said = await Promise.all(
      Array.from({ length: times }, () => this.store.finish(task.key, claim, ending)),
    );
    refute(new Set(said).size !== 1, "a repeated ending says something else");
    if (said[0] !== true) return;
    this.#count("finished");
    task.endings.add(claim);
    refute(task.endings.size !== 1, "a task has ended twice");
  }

  async ask({ task, claim, version }: Run, width: number): Promise<void> {
    const keys = Array.from({ length: width }, (_, i) => `${version}.q${i}`);
    if (!(await this.store.ask(task.key, claim, Object.fromEntries(keys.map((key) => [key, {}])), undefined)))
      return;
    this.#round.push({ verb: "asked", key: task.key });
    for (const key of keys) if (!task.said.has(key)) task.said.set(key, []);
    this.#count("asked");
  }

  async answer(task: TaskModel, by: string, width: number): Promise<void> {
    const open = [...task.said.keys()].slice(-width);
    const answers = Object.fromEntries(open.map((key) => [key, ++this.#told]));
    if (by === task.owner) for (const key of open) task.said.get(key)?.push(answers[key]);
    const taken = await this.store.answer(task.key, by, { ...answers, "0.unknown": 0 });
    refute(by !== task.owner && taken !== undefined, "somebody else has answered");
    if (taken !== undefined) this.#count(taken === "ready" ? "answered" : "partly answered");
  }

  async cancel(task: TaskModel, by: string | null): Promise<void> {
    const said = await this.store.cancel(task.key, by);
    const isForeign = by !== null && by !== task.owner;
    refute(isForeign && said !== undefined, "somebody else has cancelled");
    if (said === "cancelled") this.#count("cancelled");
  }

  async look(task: TaskModel, by: string): Promise<void> {
    const seen = await this.store.get(task.key, by);
    refute(by !== task.owner && seen !== undefined, "somebody else has looked");
    const isOther = (end: TaskModel["end"]) => end !== undefined && end.status !== seen?.status;
    refute(seen !== undefined && isOther(task.end), "what has ended looks different");
  }

  async findDue(): Promise<void> {
    // Others may take or renew one before the answer is here.
    const sinceBefore = new Map(this.tasks.map(({ key, lease }) => [key, lease?.since ?? -Infinity]));
    const { keys } = await this.due.due({ limit: 2 });
    for (const key of keys) {
      const task = this.tasks.find((one) => one.key === key);
      if (task === undefined) continue;
      const since = sinceBefore.get(key) ?? -Infinity;
      refute(this.#now - since < SURELY_ALIVE_SECONDS, "a task is due although its runner is alive");
      if (task.lease?.since === since) task.lease = undefined;
      this.#count("due");
    }
  }

  async pass(seconds: number): Promise<void> {
    this.#now += seconds;
    await this.database.query(
      "UPDATE mcp_tasks SET leased_until = leased_until - $1 * interval '1 second', expires_at = expires_at - $1 * interval '1 second'",
      [seconds],
    );
  }

  async clean(): Promise<void> {
    this.#count("cleaned");
    // Of two events of one time the second is left out.
    const at = new Date(Date.UTC(2026, 0) + Number(this.tried["cleaned"]));
    await fire(this.database.env({ MCP_TASKS: "false" }), REGULAR_CRON, at);
  }

  /** What has ended stays as it was, and what is gone had expired. */
  async endRound(): Promise<void> {
    this.#round = [];
    const rows = await this.database.query("SELECT task_hash, status, result, lease FROM mcp_tasks");
    const byKey = new Map(rows.map((row) => [row["task_hash"], row]));
    for (const task of this.tasks) {
      const row = byKey.get(task.key);
      if (row === undefined) {
        refute(this.#now < task.expiresAt - REAL_SECONDS, "a task is gone before its time");
        continue;
      }
      const { status, result } = row;
      if (row["lease"] !== task.lease?.claim || status !== "working") task.lease = undefined;
      if (!ENDED.includes(String(status))) {
        refute(task.end !== undefined, "what has ended goes on");
        continue;
      }
      const end = { status, result };
      refute(task.end !== undefined && !isSame(task.end, end), "what has ended has changed");
      if (task.end === undefined) this.#count(result === JSON.stringify(LOST_ERROR) ? "lost" : "ended");
      task.end = end;
      const [by] = task.endings;
      refute(by !== undefined && result !== endingBy(by), "its end is not that of its runner");
      refute(status === "completed" && by === undefined, "nobody has ended it");
    }
  }

  /** Everything ends; then it expires, and is gone; and it was counted once. */
  async end(): Promise<void> {
    const isOpen = (task: TaskModel) => task.end === undefined && this.#now < task.expiresAt - REAL_SECONDS;
    // Each round of questions and attempts is at most three long.
    for (let i = 0; i < 100 && this.tasks.some(isOpen); i++) {
      await this.pass(LEASE_SECONDS / 7);
      for (const task of this.tasks.filter(isOpen)) {
        await this.answer(task, task.owner, 100);
        await this.take(task);
        const run = this.runs.findLast((one) => one.task === task);
        if (run !== undefined) await this.finish(run, "completed", 1);
      }
      await this.endRound();
    }
    refute(this.tasks.some(isOpen), "a task has not ended");
    await this.pass(TTL_SECONDS + 1);
    await this.clean();
    const rows = await this.database.query("SELECT FROM mcp_tasks");
    refute(rows.length > 0, "what has expired was not deleted");
  }
}

const endingBy = (claim: string) => JSON.stringify({ by: claim });
const isSame = (one: object, other: object) => JSON.stringify(one) === JSON.stringify(other);

function refute(isSo: boolean, what: string): void {
  if (isSo) throw new Error(what);
}
