// Ending: real processes, real signals, nothing left behind.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anyFreePort, freePort, portProblem } from "../../dev/ports.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dev-shutdown-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const dev = (file: string) => join(process.cwd(), "dev", file);

function script(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
}

/** Starts `node` on the arguments and waits until it has said "up". */
async function start(
  args: string[],
  detached = false,
): Promise<{ child: ChildProcess; output: Promise<string> }> {
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], detached });
  const output = text(child.stdout);
  await new Promise<void>((up) => {
    child.stdout.on("data", (chunk: Buffer) => {
      if (chunk.includes("up")) up();
    });
  });
  return { child, output };
}

describe("what runs until it is asked to stop", () => {
  const live = (name: string, body: string) =>
    script(
      name,
      `import { untilAsked } from ${JSON.stringify(dev("shutdown.ts"))};
       import { Failure } from ${JSON.stringify(dev("failure.ts"))};
       const untilAborted = (signal) => new Promise((end) => {
         const timer = setInterval(() => { if (signal.aborted) { clearInterval(timer); end(); } }, 20);
       });
       process.exit(await untilAsked(async (life) => { ${body} }));`,
    );

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "closes last first on %s and exits with 0",
    async (signal) => {
      const { child, output } = await start([
        live(
          `order-${signal}.ts`,
          `life.defer("A", () => console.log("closed A"));
         life.defer("B", async () => { await new Promise((r) => setTimeout(r, 50)); console.log("closed B"); });
         console.log("up"); await untilAborted(life.asked);`,
        ),
      ]);
      child.kill(signal);
      const [code] = await once(child, "exit");
      expect(code).toBe(0);
      expect((await output).match(/closed \w/g)).toEqual(["closed B", "closed A"]);
    },
  );

  test("closes and exits with 1 when it fails", async () => {
    const path = live(
      "fails.ts",
      `life.defer("A", () => console.log("up, closed A")); throw new Failure("No luck.");`,
    );
    const child = spawn(process.execPath, [path], { stdio: ["ignore", "pipe", "pipe"] });
    const [out, error, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "exit"),
    ]);
    expect(code).toBe(1);
    expect(out).toContain("closed A");
    expect(error).toBe("\nNo luck.\n");
  });

  test("closes the rest when one part does not close", async () => {
    const path = live(
      "stubborn.ts",
      `life.defer("A", () => console.log("closed A"));
       life.defer("B", () => Promise.reject(new Error("stuck")));`,
    );
    const child = spawn(process.execPath, [path], { stdio: ["ignore", "pipe", "pipe"] });
    const [out, error, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "exit"),
    ]);
    expect(code).toBe(1);
    expect(out).toContain("closed A");
    expect(error).toContain("B did not stop");
  });

  // It gets the second Ctrl-C so long after the first. By itself: what sends it may be slow.
  const gentle = (ms: number) => `life.defer("A", async (forced) => {
      console.log("closing"); await Promise.race([untilAborted(forced), new Promise((r) => setTimeout(r, 2_500))]);
      console.log(forced.aborted ? "forced" : "gently");
    });
    console.log("up"); await untilAborted(life.asked);
    setTimeout(() => process.kill(process.pid, "SIGINT"), ${ms});`;

  test("takes one Ctrl-C that arrives twice for one", async () => {
    const { child, output } = await start([live("twice.ts", gentle(100))]);
    child.kill("SIGINT");
    await once(child, "exit");
    expect(await output).toContain("gently");
  });

  test("is told to hurry by a second Ctrl-C", async () => {
    const { child, output } = await start([live("hurry.ts", gentle(1_300))]);
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
    expect(await output).toContain("forced");
  });
});

describe("a leash", () => {
  // Ends when it is asked to, but leaves a process behind that does not; both hold the output open.
  const careless = () =>
    script(
      "careless.mjs",
      `import { spawn } from "node:child_process";
       spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1e3); console.log('up')"],
         { stdio: ["ignore", "inherit", "inherit"] });
       setInterval(() => {}, 1_000);`,
    );

  test("lets nothing of what it holds live longer than the one who holds it", async () => {
    const { child, output } = await start([dev("leash.ts"), careless()], true);
    child.stdin?.end();
    // The output ends when the last process that holds it does.
    expect(await output).toContain("up");
  });

  test("holds when its holder is killed", async () => {
    const holder = script(
      "holder.mjs",
      `import { spawn } from "node:child_process";
       spawn(process.execPath, [${JSON.stringify(dev("leash.ts"))}, ${JSON.stringify(careless())}],
         { stdio: ["pipe", "inherit", "inherit"], detached: true });`,
    );
    const { child, output } = await start([holder]);
    child.kill("SIGKILL");
    expect(await output).toContain("up");
  });

  test("does not let go on signals of its own", async () => {
    const { child, output } = await start([dev("leash.ts"), careless()], true);
    child.kill("SIGTERM");
    child.kill("SIGINT");
    const ended = await Promise.race([
      once(child, "exit"),
      new Promise((later) => setTimeout(later, 300, "holds")),
    ]);
    expect(ended).toBe("holds");
    child.stdin?.end();
    await output;
  });

  test("ends with what it holds, and takes the rest along", async () => {
    const path = script(
      "crash.mjs",
      `import { spawn } from "node:child_process";
       spawn(process.execPath, ["-e", "setInterval(() => {}, 1e3)"], { stdio: ["ignore", "inherit", "inherit"] });
       console.log("up"); setTimeout(() => process.exit(3), 100);`,
    );
    const { output } = await start([dev("leash.ts"), path], true);
    expect(await output).toContain("up");
  });
});

describe("ports", () => {
  test("a taken port is known as such and another one is found near it", async () => {
    const server = createServer();
    const port = await anyFreePort();
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    expect(await portProblem(port)).toBe("EADDRINUSE");
    const other = await freePort(port);
    expect(other).not.toBe(port);
    expect(await portProblem(other)).toBeUndefined();
    server.close();
    await once(server, "close");
    expect(await freePort(port)).toBe(port);
  });
});
