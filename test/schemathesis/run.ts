// A program of another language, run to its end.
import { spawn } from "node:child_process";
import { once } from "node:events";

/** @param environment beside that of this process. @returns its exit code, and what it has printed to both outputs, in order. */
export async function run(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  environment: Record<string, string> = {},
): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    env: { ...process.env, ...environment },
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output: chunks.join("") };
}
