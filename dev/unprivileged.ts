// PostgreSQL refuses to run as root. Root, in a container say, hands it to the user `postgres`, who then needs a way
// to its programs and its data: where a folder lets nobody in, they are put where he may go.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Options of a child process: nothing for an ordinary user, who runs PostgreSQL as himself. */
export interface Identity {
  uid?: number;
  gid?: number;
  cwd?: string;
}

const USER = "postgres";
// Kept over a restart of the machine, unlike /tmp.
const SHARED = "/var/tmp";

/** Who runs PostgreSQL; makes the user when root has none to hand it to. */
export function unprivileged(): Identity {
  if (process.getuid?.() !== 0) return {};
  try {
    return { uid: id("-u"), gid: id("-g"), cwd: "/" };
  } catch {
    execFileSync("useradd", ["--system", "--user-group", "--no-create-home", USER]);
    return { uid: id("-u"), gid: id("-g"), cwd: "/" };
  }
}

function id(flag: "-u" | "-g"): number {
  return Number(execFileSync("id", [flag, USER], { stdio: ["ignore", "pipe", "ignore"] }));
}

function canReach(as: Identity, path: string): boolean {
  return as.uid === undefined || spawnSync("test", ["-x", path], as).status === 0;
}

/** `path`, or a folder in its place that PostgreSQL can enter; made, and its own. */
export function ownFolder(path: string, as: Identity): string {
  const folder = folderFor(path, as);
  mkdirSync(dirname(folder), { recursive: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (as.uid !== undefined) chownSync(folder, as.uid, as.gid ?? as.uid);
  return folder;
}

/** Where the data for `path` is, or will be. */
export function folderFor(path: string, as: Identity): string {
  const wanted = resolve(path);
  let parent = dirname(wanted);
  while (!existsSync(parent)) parent = dirname(parent);
  if (canReach(as, parent)) return wanted;
  const name = createHash("sha256").update(wanted).digest("hex").slice(0, 16);
  return join(SHARED, `mcp-sessions-${name}`);
}

/** `folder` with PostgreSQL's programs, or a copy of it that PostgreSQL can enter. */
export function programs(folder: string, as: Identity): string {
  if (canReach(as, join(folder, "bin", "postgres"))) return folder;
  const { version }: { version: string } = JSON.parse(
    readFileSync(join(folder, "..", "package.json"), "utf8"),
  );
  const copy = join(SHARED, `mcp-sessions-postgres-${version}`);
  if (!existsSync(copy)) {
    // Made under another name, because tests start several servers at once.
    const draft = mkdtempSync(`${copy}-`);
    cpSync(folder, draft, { recursive: true, verbatimSymlinks: true });
    chmodSync(draft, 0o755);
    try {
      renameSync(draft, copy);
    } catch {
      rmSync(draft, { recursive: true }); // Another was faster.
    }
  }
  const { uid, mode } = lstatSync(copy);
  if (uid !== 0 || (mode & 0o022) !== 0) throw new Error(`${copy} is not root's own; remove it`);
  return copy;
}
