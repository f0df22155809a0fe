// What it costs to refuse a body at each bound, beside the smallest body that is refused: the time of the serving process on a
// core. `wrangler dev` reads the rest of a body that the Worker leaves, which Cloudflare does not do.
import { percentile } from "./figures.ts";
import { table } from "./soak/tally.ts";
import { cpuMsOf } from "./workerd.ts";

// As much as a request may hold, less what is put around it.
const MEGABYTE = 1024 * 1024 - 1024;
const WARM_UPS = 5;
const ROUNDS = 25;

const text = (item: string, bytes = MEGABYTE) => item.repeat(Math.floor(bytes / item.length));
const tooDeep = "[".repeat(250);

/** The last ones are refused at their end, so that all of it has been read and looked at. */
const bodies: [name: string, body: string][] = [
  ["no JSON: the smallest", "{"],
  ["too deep at once", text("[")],
  ["too many objects", `[[${text("{},")}{}]]`],
  ["too many numbers", `[[${text("0,")}0]]`],
  ["too many texts", `[[${text('"",')}""]]`],
  ["too many members", `{${text('"a":0,')}"a":0}`],
  ["too many messages", `[${text("{},")}{}]`],
  ["initialize is too long", `{"method":"initialize","params":"${text("x")}"}`],
  ["initialize is too long, at its end", `{"params":"${text("x")}","method":"initialize"}`],
  ["too deep after a text of a megabyte", `["${text("x")}",${tooDeep}`],
  ["too deep after a megabyte of é", `["${text("é", MEGABYTE / 2)}",${tooDeep}`],
  ["too deep after a megabyte of escapes", `["${text(String.raw`\u0041`)}",${tooDeep}`],
  ["too deep after a megabyte of white space", `[${text(" ")}${tooDeep}`],
  ["too deep after a megabyte of digits", `[${text("9")},${tooDeep}`],
  ["too deep after 20,000 texts of 40 bytes", `[[${text(`"${"x".repeat(40)}",`, 860_000)}${tooDeep}`],
];

/** @param post one body, in a session. @returns lines to print. */
export async function refusals(
  pid: string,
  post: (body: string) => Promise<{ status: number }>,
): Promise<string> {
  const costs = bodies.map(([name, body]) => ({ name, body, status: 0, times: [] as number[] }));
  // Side by side, so that a busy machine is busy for all of them.
  for (let round = -WARM_UPS; round < ROUNDS; round++) {
    for (const cost of costs) {
      const before = cpuMsOf(pid);
      cost.status = (await post(cost.body)).status;
      if (round >= 0) cost.times.push(cpuMsOf(pid) - before);
    }
  }
  const smallest = costs[0]?.times ?? [];
  return table([
    ["refused", "bytes", "status", "CPU ms: median", "least", "median beyond the smallest"],
    ...costs.map(({ name, body, status, times }) => [
      name,
      new TextEncoder().encode(body).length,
      status,
      percentile(times, 0.5).toFixed(2),
      Math.min(...times).toFixed(2),
      percentile(
        times.map((time, i) => time - (smallest[i] ?? 0)),
        0.5,
      ).toFixed(2),
    ]),
  ]);
}
