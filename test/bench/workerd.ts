// The workerd processes of a bench, as Linux sees them: their memory and the time that they were on a core.
import { readdirSync, readFileSync } from "node:fs";

interface Process {
  pid: string;
  parent: string;
  name: string;
  residentMb: number;
}

/** Those that this process has started. None where there is no /proc. */
export function workerdProcesses(): Process[] {
  const all = numbersIn("/proc").flatMap((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      const field = (key: string) => new RegExp(`^${key}:\\s+(\\S+)`, "m").exec(status)?.[1] ?? "";
      return [{ pid, parent: field("PPid"), name: field("Name"), residentMb: Number(field("VmRSS")) / 1024 }];
    } catch {
      return []; // It has ended meanwhile.
    }
  });
  const isOurs = (pid: string): boolean => {
    if (pid === String(process.pid)) return true;
    const parent = all.find((one) => one.pid === pid)?.parent;
    return parent !== undefined && parent !== "0" && isOurs(parent);
  };
  return all.filter(({ name, pid }) => name === "workerd" && isOurs(pid));
}

/** How long the threads of a process were on a core, in milliseconds. Waiting for one does not count. */
export function cpuMsOf(pid: string): number {
  const times = numbersIn(`/proc/${pid}/task`).map((thread) => {
    try {
      return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      return 0; // It has ended meanwhile.
    }
  });
  return times.reduce((sum, nanoseconds) => sum + nanoseconds / 1e6, 0);
}

/** The memory that a process has in use. */
export function residentMbOf(pid: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

function numbersIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}
