// PgBouncer in transaction mode before a PostgreSQL of the tests. Consecutive transactions of one connection can run on
// several server connections, and what a session leaves behind stays on them.
import { spawn } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { anyFreePort } from "../../dev/ports.ts";
import { unprivileged } from "../../dev/unprivileged.ts";

export interface Pooler {
  host: string;
  port: number;
  stop: () => Promise<void>;
}

/**
 * Starts it for these users. Needs `pgbouncer` on the PATH.
 * @throws Error when it does not start.
 */
export async function startPooler(
  postgres: { host: string; port: number },
  users: { user: string; password: string }[],
): Promise<Pooler> {
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-pooler-"));
  const port = await anyFreePort();
  const host = "127.0.0.1";
  const as = unprivileged();
  const files = {
    "users.txt": users.map(({ user, password }) => `"${user}" "${password}"\n`).join(""),
    "pooler.ini": `[databases]
* = host=${postgres.host} port=${postgres.port}
[pgbouncer]
listen_addr = ${host}
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(folder, "users.txt")}
pool_mode = transaction
max_client_conn = 200
default_pool_size = 20
# Each test has a database of its own, so few connections are used twice, and all of them take slots.
server_idle_timeout = 1
`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  chmodSync(folder, 0o755);
  if (as.uid !== undefined) chownSync(join(folder, "users.txt"), as.uid, as.gid ?? as.uid);
  const pgbouncer = spawn("pgbouncer", ["-q", join(folder, "pooler.ini")], {
    stdio: ["ignore", "ignore", "inherit"],
    ...as,
  });
  const ended = new Promise<void>((resolve) => {
    pgbouncer.once("exit", () => resolve());
    pgbouncer.once("error", () => resolve());
  });
  const isGone = ended.then(() => true);
  while (!(await accepts(host, port))) {
    if (await Promise.race([isGone, sleep(50, false)])) {
      throw new Error("pgbouncer did not start; is it installed?");
    }
  }
  return {
    host,
    port,
    async stop() {
      pgbouncer.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const answer = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
  });
}
