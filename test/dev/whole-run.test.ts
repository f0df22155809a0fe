// `npm test` fails when one of its parts fails. A program of three lines stands in for Vitest.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NODE } from "../support/run.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "whole-run-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** @param vitest the lines of a shell script. */
function run(vitest: string, ...args: string[]) {
  writeFileSync(join(folder, "vitest"), `#!/bin/sh\necho "$@"\n${vitest}\n`, { mode: 0o755 });
  const { status, stdout } = spawnSync(NODE, ["test/main.ts", ...args], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
  });
  return { status, lines: stdout.trim().split("\n").toSorted() };
}

const ofProject = (project: string) => `run --config test/vitest.config.ts --project ${project}`;
const failing = (project: string, how: string) => `case "$*" in *"--project ${project}"*) ${how};; esac`;

test("without arguments there is a Vitest for workerd and one for Node", () => {
  expect(run("exit 0")).toEqual({ status: 0, lines: [ofProject("node"), ofProject("worker")] });
});

test.each(["worker", "node"])(
  "a failure in %s is a failure, and the other part runs to its end",
  (project) => {
    const { status, lines } = run(`${failing(project, "exit 1")}\nsleep 1\necho ended`);
    expect(status).toBe(1);
    expect(lines).toContain("ended");
  },
);

test.each(["worker", "node"])("a part that a signal ends has failed: %s", (project) => {
  expect(run(failing(project, "kill -9 $$")).status).toBe(1);
});

test("with arguments one Vitest gets them, and says how it ended", () => {
  const asked = `${ofProject("worker")} --project node test/session`;
  expect(run("exit 0", "test/session")).toEqual({ status: 0, lines: [asked] });
  expect(run("exit 1", "test/session")).toEqual({ status: 1, lines: [asked] });
});
