// Everything that is logged while a test runs: kept for the test to read, and searched for secrets after it.
import { afterEach, beforeEach, expect, vi } from "vitest";
import { configureLog } from "../../src/log.ts";

export type LogLine = { level: string; message: string } & Record<string, unknown>;

let lines: string[] = [];
const secrets = new Set<string>();

/** What must stand in no log line of this file from now on. */
export function keepSecret<T extends string>(secret: T): T {
  secrets.add(secret);
  return secret;
}

/** The lines so far, parsed; those with `message` only, when it is given. */
export function logged(message?: string): LogLine[] {
  const parsed = lines.map((line) => JSON.parse(line) as LogLine);
  return parsed.filter((line) => message === undefined || line.message === message);
}

/** Fails when a text that leaves the Worker holds a secret. */
export function expectNoSecrets(text: string): void {
  for (const secret of secrets) expect(text.includes(secret), "a secret is in the open").toBe(false);
}

beforeEach(() => {
  lines = [];
  for (const method of ["debug", "log", "info", "warn", "error"] as const) {
    vi.spyOn(console, method).mockImplementation((...values: unknown[]) => {
      lines.push(values.map(String).join(" ").trim());
    });
  }
  configureLog({ level: "debug", format: "json" });
});

afterEach(() => {
  vi.restoreAllMocks();
  expectNoSecrets(lines.join("\n"));
});
