// A copy of this project to run its commands in, with the stand-in for Cloudflare's API. wrangler writes into the folder that
// it runs in, and an environment is added to wrangler.toml.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { ACCOUNT, type Cloudflare, TOKEN } from "./cloudflare.ts";

const copied = ["src", "drizzle", "package.json", "tsconfig.json", "wrangler.toml", "test/support"];

export interface Outcome {
  code: number | null;
  /** Both streams. */
  output: string;
}

export interface Project {
  folder: string;
  write(file: string, content: string): void;
  append(file: string, content: string): void;
  /**
   * Runs a line of a shell.
   * @param input what is typed
   */
  sh(line: string, options?: { input?: string; vars?: Record<string, string> }): Promise<Outcome>;
  remove(): void;
}

/**
 * @param from the checkout to copy.
 * @param hasTestServer whether the tests' own server is the author's, so that there are tools to call. The author may replace
 *   everything in src/server/.
 */
export function createProject(
  { url }: Pick<Cloudflare, "url">,
  { from = ".", hasTestServer = false }: { from?: string; hasTestServer?: boolean } = {},
): Project {
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-deploy-"));
  for (const name of copied) cpSync(join(from, name), join(folder, name), { recursive: true });
  if (hasTestServer) writeFileSync(join(folder, "src/server/index.ts"), TEST_SERVER);
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  const home = join(folder, ".home");
  mkdirSync(home);
  return {
    folder,
    write: (file, content) => writeFileSync(join(folder, file), content),
    append: (file, content) => appendFileSync(join(folder, file), content),
    async sh(line, { input = "", vars = {} } = {}) {
      const child = spawn("bash", ["-c", `exec 2>&1; ${line}`], {
        cwd: folder,
        env: {
          ...cleanEnvironment(),
          ...cloudflareVariables(url),
          ...vars,
          HOME: home,
          XDG_CONFIG_HOME: home,
        },
        stdio: ["pipe", "pipe", "inherit"],
      });
      child.stdin.on("error", () => {}); // It has ended before it read all of it.
      child.stdin.end(input);
      const [output] = await Promise.all([text(child.stdout), once(child, "close")]);
      return { code: child.exitCode, output };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const TEST_SERVER = 'export { default } from "../../test/support/server.ts";';

const cloudflareVariables = (url: string) => ({
  CLOUDFLARE_API_BASE_URL: url,
  CLOUDFLARE_API_TOKEN: TOKEN,
  CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
  CI: "1",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
  WRANGLER_HIDE_BANNER: "true",
});

/** The programs of this project come first, and nothing of a developer's account or database is taken over. */
function cleanEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(CLOUDFLARE|CF|WRANGLER|MCP|NEON|npm)_|^(DATABASE_URL|API_KEYS|VITEST.*|NODE_ENV)$/.test(name),
  );
  return { ...Object.fromEntries(kept), PATH: `${resolve("node_modules/.bin")}:${process.env["PATH"]}` };
}
