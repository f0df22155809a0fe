// Everything that is logged while a test runs: kept for the test to read, and searched for secrets after it by
// each-file.ts. All test files have one isolate, and with it this module.
import { expect, vi } from "vitest";
import { configureLog } from "../../src/log.ts";

export type LogLine = { level: string; message: string } & Record<string, unknown>;

let lines: string[] = [];
const ofAllFiles = new Set<string>();
const ofThisFile = new Set<string>();

/** What must stand in no log line of this test file from now on. */
export function keepSecret<T extends string>(secret: T): T {
  ofThisFile.add(secret);
  return secret;
}

/** What must stand in no log line of any test file from now on: for modules that several import. */
export function keepSecretEverywhere<T extends string>(secret: T): T {
  ofAllFiles.add(secret);
  return secret;
}

/** A test file begins: what another kept secret may be in its lines. */
export function forgetSecrets(): void {
  ofThisFile.clear();
}

/** The lines so far, parsed; those with `message` only, when it is given. */
export function logged(message?: string): LogLine[] {
  const parsed = lines.map((line) => JSON.parse(line) as LogLine);
  return parsed.filter((line) => message === undefined || line.message === message);
}

/** Fails when a text that leaves the Worker holds a secret. */
export function expectNoSecrets(text: string): void {
  for (const secret of [...ofAllFiles, ...ofThisFile])
    expect(text.includes(secret), "a secret is in the open").toBe(false);
}

/** From now on lines are kept, none so far. */
export function captureLogs(): void {
  lines = [];
  for (const method of ["debug", "log", "info", "warn", "error"] as const) {
    vi.spyOn(console, method).mockImplementation((...values: unknown[]) => {
      lines.push(values.map(String).join(" ").trim());
    });
  }
  configureLog({ level: "debug", format: "json" });
}

/** Fails when a line that was kept holds a secret. */
export const expectNoSecretsLogged = () => expectNoSecrets(lines.join("\n"));
