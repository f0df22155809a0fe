// What an example of Python needs, in a virtual environment beside it, from PyPI.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Ran, run } from "./packed.ts";

/**
 * Installs the requirements.txt of a folder into its `.venv`.
 * @returns why there is none, where Python, venv or PyPI is missing.
 * @throws Error instead, with PYTHON_REQUIRED, which .ci/run sets: there it must not be left out.
 */
export async function installPython(folder: string): Promise<string | undefined> {
  if (!existsSync(join(folder, "requirements.txt"))) return undefined;
  const steps: [string, ...string[]][] = [
    ["python3", "-m", "venv", ".venv"],
    [".venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"],
  ];
  for (const [program, ...args] of steps) {
    const ran = await run(folder, program, ...args).catch((error: unknown): Ran => ({
      code: 1,
      stdout: "",
      stderr: String(error),
    }));
    if (ran.code === 0) continue;
    const reason = `${program} ${args.join(" ")}: ${ran.stderr || ran.stdout}`.trim();
    if (process.env["PYTHON_REQUIRED"] !== undefined) throw new Error(reason);
    return reason;
  }
  return undefined;
}
