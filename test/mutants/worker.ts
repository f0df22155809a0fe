// Tries one mutant after the other in a copy of its own, and keeps a process with the servers of the tests running there.
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeCopy, removeCopy } from "./copy.ts";
import type { Order, Report } from "./host.ts";
import { applied, type Mutant } from "./mutant.ts";

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

export type Answer = Report | { kind: "hung"; file: string };

export class Worker {
  readonly #copy = makeCopy();
  #host: ChildProcess | undefined;

  /** @param limitMsOf how long a test file may take. */
  async try(
    mutant: Mutant,
    tests: Order["tests"],
    limitMsOf: (file: string) => number,
  ): Promise<[Result, Answer]> {
    const path = join(this.#copy, mutant.file);
    const original = readFileSync(path, "utf8");
    writeFileSync(path, applied(original, mutant));
    try {
      const answer = await this.follow(
        { changed: mutant.file, isSql: mutant.file.endsWith(".sql"), tests },
        limitMsOf,
      );
      const [outcome, by] = answer.kind === "passed" ? this.#survivor(mutant) : judge(answer);
      return [{ mutant, outcome, by }, answer];
    } finally {
      writeFileSync(path, original);
    }
  }

  /** Runs tests on the copy as it is. */
  async follow(order: Order, limitMsOf: (file: string) => number): Promise<Answer> {
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
      const onReport = (report: Report) => {
        if (report.kind !== "begins") return finish(report);
        const { file } = report;
        clearTimeout(timer);
        timer = setTimeout(() => {
          this.#kill();
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
    const [report] = await Promise.race([
      once(host, "message"),
      once(host, "exit").then(() => [{ kind: "hung" }]),
    ]);
    if ((report as Answer).kind !== "ready") throw new Error("The tests do not run in a copy of this folder");
    return host;
  }

  /** Its PostgreSQL is stopped by test/support/postgres-guard.ts. */
  #kill(): void {
    const { pid } = this.#host ?? {};
    this.#host = undefined;
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  }

  /** A mutant of TypeScript that the compiler refuses could not be committed. */
  #survivor({ file }: Mutant): [Outcome, string] {
    if (!file.endsWith(".ts")) return ["survived", ""];
    const project = file.startsWith("src/") ? "." : "dev";
    const { status, stdout } = spawnSync(resolve("node_modules/.bin/tsc"), ["-p", project], {
      cwd: this.#copy,
      encoding: "utf8",
    });
    return status === 0 ? ["survived", ""] : ["invalid", stdout.split("\n")[0] ?? ""];
  }
}

function judge(answer: Exclude<Answer, { kind: "passed" }>): [Outcome, string] {
  switch (answer.kind) {
    case "failed":
      return ["killed", `${answer.file}: ${answer.test}`];
    case "refused":
      return [MEANINGLESS.test(answer.message) ? "invalid" : "killed", `db:migrate: ${answer.message}`];
    case "hung":
      return ["timed out", answer.file];
    case "ready":
    case "begins":
      break;
  }
  throw new Error(`The process of the tests said ${answer.kind} where an answer was due`);
}
