// The package as `npm pack` makes it, once for a test run: built, packed, and unpacked beside that.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";

const root = resolve(import.meta.dirname, "../..");

/** The environment without the programs of this checkout: Node and npm are those of the machine. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const outside = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.startsWith(root));
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_|VITEST|VITE_|TEST$|DATABASE_URL$|API_KEYS$|INIT_CWD$)/.test(name),
  );
  return {
    ...Object.fromEntries(own),
    PATH: outside.join(delimiter),
    CI: "1",
    // Otherwise Request.cf is fetched from the internet.
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
  };
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program in a folder, with the programs of the machine. */
export async function run(cwd: string, program: string, ...args: string[]): Promise<Ran> {
  const options = { cwd, env: cleanEnvironment(), maxBuffer: 64 * 1024 * 1024 };
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, options);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code: unknown; stdout?: string; stderr?: string };
    if (typeof code !== "number") throw error;
    return { code, stdout, stderr };
  }
}

/** The same, where only success will do. @throws Error with what the program has said */
export async function succeed(cwd: string, program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(cwd, program, ...args);
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")} ended with ${code}:\n${stdout}\n${stderr}`);
}

export interface Packed {
  /** The file that npm has made. */
  file: string;
  /** An empty folder with what was in the file, below `package`. */
  folder: string;
  remove: () => void;
}

export async function pack(): Promise<Packed> {
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-package-"));
  // `prepack` builds it, by the programs of this checkout.
  const { stdout } = await promisify(execFile)("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  });
  const file = join(folder, /"filename": "([^"]+)"/.exec(stdout)?.[1] ?? "");
  await succeed(folder, "tar", "-xzf", file);
  return { file, folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
