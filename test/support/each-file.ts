// Runs before each test file in workerd.
import { afterEach, beforeEach, vi } from "vitest";
import { captureLogs, expectNoSecretsLogged, forgetSecrets } from "./captured-logs.ts";

forgetSecrets();

beforeEach(captureLogs);

afterEach(() => {
  vi.restoreAllMocks();
  expectNoSecretsLogged();
});
