// Tries one mutant after the other in a copy of its own, and keeps a process with the servers of the tests running there.
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeCopy, removeCopy } from "./copy.ts";
import type { FilesOrder, Order, Report } from "./host.ts";
import { applied, type Mutant } from "./mutant.ts";
import type { Message } from "./switched/messages.ts";

export type Outcome = "killed" | "survived" | "invalid" | "timed out";

export interface Result {
  mutant: Mutant;
  outcome: Outcome;
  /** What killed it, or why it is invalid. */
  by: string;
}

// PostgreSQL's SQLSTATEs for SQL that means nothing: syntax, unknown names, wrong types.
const MEANINGLESS =
  /^Error: (?:42601|42702|42703|42704|42804|42809|42846|42883|42P01|42P02|42P10|42P13|42P17|22P02) /;

export type Answer = Exclude<Report, { kind: "begins" | "says" }> | { kind: "hung"; file: string };

export interface Listener {
  /** How long a test file, or a mutant in it, may say nothing. */
  limitMsOf: (file: string) => number;
  onSaid?: (messages: Message[]) => void;
}

export class Worker {
  readonly #copy = makeCopy();
  #host: ChildProcess | undefined;

  /**
   * @param limitMsOf how long a test file may take.
   * @param isAll whether there are no other tests to try, so that one that passes them is compiled in the end.
   */
  async try(
    mutant: Mutant,
    tests: FilesOrder["tests"],
    listener: Listener,
    isAll: boolean,
  ): Promise<[Result, Answer]> {
    const { file } = mutant;
    const isSql = file.endsWith(".sql");
    const mutated = applied(readFileSync(join(this.#copy, file), "utf8"), mutant);
    return this.with(new Map([[file, mutated]]), async () => {
      const answer = await this.follow({ kind: "files", changed: [file], isSql, tests }, listener);
      // What the compiler refuses with this file alone is not tried at all.
      const refusal = answer.kind === "passed" && !isSql && isAll ? this.#refusal(file) : undefined;
      if (refusal !== undefined) return [{ mutant, outcome: "invalid", by: refusal }, answer];
      return resultOf(mutant, answer);
    });
  }

  /** Does `work` while files of the copy have other contents. */
  async with<T>(contents: Map<string, string>, work: () => Promise<T>): Promise<T> {
    const originals = [...contents.keys()].map((file) => {
      const path = join(this.#copy, file);
      return [path, readFileSync(path, "utf8")] as const;
    });
    for (const [file, content] of contents) writeFileSync(join(this.#copy, file), content);
    try {
      return await work();
    } finally {
      for (const [path, original] of originals) writeFileSync(path, original);
    }
  }

  /** Runs tests on the copy as it is. */
  async follow(order: Order, { limitMsOf, onSaid }: Listener): Promise<Answer> {
    const host = (this.#host ??= await this.#start());
    return new Promise((settle, fail) => {
      let timer: NodeJS.Timeout | undefined;
      const finish = (answer: Answer) => {
        clearTimeout(timer);
        host.off("message", onReport).off("exit", onExit);
        settle(answer);
      };
      const onExit = () => {
        this.#host = undefined;
        finish({ kind: "hung", file: "the process of the tests ended" });
      };
      let file = "";
      const onReport = (report: Report) => {
        if (report.kind === "begins") ({ file } = report);
        else if (report.kind === "says") onSaid?.(report.messages);
        else return finish(report);
        clearTimeout(timer);
        timer = setTimeout(() => {
          this.restart();
          finish({ kind: "hung", file });
        }, limitMsOf(file));
      };
      host.on("message", onReport).once("exit", onExit);
      host.send(order, (error) => error !== null && fail(error));
    });
  }

  /** Ends the process and removes the copy. */
  async end(): Promise<void> {
    const host = this.#host;
    if (host?.connected) {
      const exited = once(host, "exit");
      host.disconnect();
      await exited;
    }
    this.#host = undefined;
    removeCopy(this.#copy);
  }

  async #start(): Promise<ChildProcess> {
    // A group of its own, so that the signals of a terminal reach the parent alone, and all of it can be killed.
    const host = fork("test/mutants/host.ts", {
      cwd: this.#copy,
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const isReady = new Promise<boolean>((settle) => {
      host.on("message", ({ kind }: Report) => kind === "ready" && settle(true));
      host.once("exit", () => settle(false));
    });
    if (!(await isReady)) throw new Error("The tests do not run in a copy of this folder");
    return host;
  }

  /** The next order is followed by a new process. Its PostgreSQL is stopped by test/support/postgres-guard.ts. */
  restart(): void {
    const { pid } = this.#host ?? {};
    this.#host = undefined;
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  }

  /** A mutant of TypeScript that the compiler refuses could not be committed. */
  #refusal(file: string): string | undefined {
    const project = file.startsWith("src/") ? "." : "dev";
    const { status, stdout } = spawnSync(resolve("node_modules/.bin/tsc"), ["-p", project], {
      cwd: this.#copy,
      encoding: "utf8",
    });
    return status === 0 ? undefined : (stdout.split("\n")[0] ?? "");
  }
}

function resultOf(mutant: Mutant, answer: Answer): [Result, Answer] {
  const [outcome, by] = judge(answer);
  return [{ mutant, outcome, by }, answer];
}

function judge(answer: Answer): [Outcome, string] {
  switch (answer.kind) {
    case "passed":
      return ["survived", ""];
    case "failed":
      return ["killed", `${answer.file}: ${answer.test}`];
    case "refused":
      return [MEANINGLESS.test(answer.message) ? "invalid" : "killed", `db:migrate: ${answer.message}`];
    case "hung":
      return ["timed out", answer.file];
    case "ready":
      break;
  }
  throw new Error(`The process of the tests said ${answer.kind} where an answer was due`);
}
