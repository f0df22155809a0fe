// This project beside what an author would pick instead: the same client and the same tool, in turns, each program alone in its
// process. The Workers run in workerd as it is.
import type { Life } from "../../dev/shutdown.ts";
import { type Figure, percentile, ratios } from "./figures.ts";
import { Board } from "./peers/board.ts";
import { AGENT, type Field, INTERVAL, OWN, type Peer, startField } from "./peers/field.ts";
import { call, callOnce, type Client, healthz, measure, open } from "./peers/measure.ts";
import { monthOf } from "./peers/month.ts";
import type { Running } from "./peers/program.ts";
import { residentMbOf } from "./workerd.ts";

const ROUNDS = 5;
const CLIENTS = 16;
const DISTANCES_MS = [0, 5, 30];

interface Scale {
  rounds: number;
  opened: number;
  calls: number;
  together: number;
  restarts: number;
  /** Sessions that are open at once. */
  kept: number;
}

const WHOLE: Scale = { rounds: ROUNDS, opened: 40, calls: 150, together: 800, restarts: 5, kept: 10_000 };
const QUICK: Scale = { rounds: 1, opened: 5, calls: 10, together: 40, restarts: 1, kept: 100 };

export async function peers(life: Life, quick: boolean): Promise<Figure[]> {
  const scale = quick ? QUICK : WHOLE;
  const field = await startField(life);
  const board = new Board(field.peers.map(({ name }) => name));
  for (const reason of field.missing) console.log(`Left out: ${reason}`);
  for (const ms of DISTANCES_MS) {
    console.log(`The database is ${ms} ms away.`);
    field.setDistance(ms);
    await compare(life, field, board, ms, scale);
  }
  field.setDistance(5);
  for (const peer of field.peers) await restart(life, field, board, peer, scale);
  field.setDistance(0);
  for (const peer of field.peers) await fill(life, field, board, peer, scale);
  for (const { name } of field.peers) board.say(MONTH, name, monthOf(name, costOf(board, name)));
  console.log(`\n${board.render()}\n`);
  return goals(board);
}

const HEALTHZ_CPU = "/healthz: CPU ms";
const STORED = "kept for a session, KB";
const MONTH = "1M sessions of 20 calls in a month, US$";
const lines = (ms: number) => ({
  open: `initialize, database ${ms} ms away: p50 ms`,
  open99: `initialize, ${ms} ms: p99 ms`,
  openCpu: `initialize, ${ms} ms: CPU ms`,
  call: `call, ${ms} ms: p50 ms`,
  call99: `call, ${ms} ms: p99 ms`,
  callCpu: `call, ${ms} ms: CPU ms`,
  rate: `calls/s of ${CLIENTS} clients, ${ms} ms`,
  rate99: `call of ${CLIENTS} clients, ${ms} ms: p99 ms`,
  rateCpu: `call of ${CLIENTS} clients, ${ms} ms: CPU ms`,
});
const WRITTEN_OPEN = "bytes written by an initialize";
const WRITTEN_CALL = "bytes written by a call";

/** All in turns. The first round warms up. */
async function compare(life: Life, field: Field, board: Board, ms: number, scale: Scale): Promise<void> {
  const what = lines(ms);
  const running: [Peer, Running, Client[]][] = [];
  for (const peer of field.peers) {
    const server = await peer.start();
    const clients = Array.from({ length: CLIENTS }, (_, i) => ({ key: field.keys[i] ?? "" }));
    const opened = clients.map(async ({ key }) => ({ key, session: await open(server, key) }));
    running.push([peer, server, await Promise.all(opened)]);
  }
  for (let round = 0; round <= scale.rounds; round++) {
    for (const [peer, server, clients] of running) {
      const { name } = peer;
      const [first = { key: "" }] = clients;
      const noted = (line: string, value: number) => round > 0 && board.add(line, name, value);
      const idle = await measure(life, server, () => healthz(server), { clients: 1, count: scale.calls });
      if (ms === 0) noted(HEALTHZ_CPU, idle.cpuMs);
      const before = await peer.written();
      const opened = await measure(life, server, () => open(server, first.key), {
        clients: 1,
        count: scale.opened,
      });
      const between = await peer.written();
      const called = await measure(life, server, () => call(server, first), {
        clients: 1,
        count: scale.calls,
      });
      const after = await peer.written();
      const together = await measure(life, server, (i) => call(server, clients[i] ?? first), {
        clients: CLIENTS,
        count: scale.together,
      });
      noted(what.open, opened.p50Ms);
      noted(what.open99, opened.p99Ms);
      noted(what.openCpu, opened.cpuMs);
      noted(what.call, called.p50Ms);
      noted(what.call99, called.p99Ms);
      noted(what.callCpu, called.cpuMs);
      noted(what.rate, together.perSecond);
      noted(what.rate99, together.p99Ms);
      noted(what.rateCpu, together.cpuMs);
      if (ms > 0) continue;
      noted(WRITTEN_OPEN, (between - before) / scale.opened);
      noted(WRITTEN_CALL, (after - between) / scale.calls);
    }
  }
  for (const [, server] of running) await server.stop();
}

/** A session that was opened before: on another isolate, and after a restart. */
async function restart(life: Life, { keys }: Field, board: Board, peer: Peer, scale: Scale): Promise<void> {
  const FIRST = "first call after a restart, 5 ms: ms";
  const ELSEWHERE = "call on another isolate, 5 ms: p50 ms";
  const [key = ""] = keys;
  for (let i = 0; i < scale.restarts; i++) {
    life.asked.throwIfAborted();
    const before = await peer.start();
    const client = { key, session: await open(before, key) };
    await call(before, client);
    if (peer.finds === "in the table") {
      const other = await peer.start();
      await call(other, client);
      const times: number[] = [];
      for (let n = 0; n < scale.calls; n++) times.push((await callOnce(other, client)).ms);
      board.add(ELSEWHERE, peer.name, percentile(times, 0.5));
      await other.stop();
    } else {
      board.say(ELSEWHERE, peer.name, peer.finds === "in its object" ? "its object is asked" : "404: lost");
    }
    await before.stop();
    const after = await peer.start();
    await healthz(after);
    const { status, ms } = await callOnce(after, client);
    if (status === 200) board.add(FIRST, peer.name, ms);
    else board.say(FIRST, peer.name, `${status}: lost`);
    await after.stop();
  }
}

/** Memory and bytes of many sessions that are open. */
async function fill(life: Life, { keys }: Field, board: Board, peer: Peer, { kept }: Scale): Promise<void> {
  console.log(`${peer.name}: ${kept} sessions`);
  const server = await peer.start();
  await open(server, keys[0] ?? "");
  const [memory, bytes, before] = [residentMbOf(server.pid), await peer.written(), await peer.stored()];
  let turn = 0;
  await measure(life, server, () => open(server, keys[turn++ % keys.length] ?? ""), {
    clients: CLIENTS,
    count: kept,
  });
  board.add(`memory after ${kept} sessions were opened, MB`, peer.name, residentMbOf(server.pid));
  board.add("of it since the first session, MB", peer.name, residentMbOf(server.pid) - memory);
  board.add("written for a session, KB", peer.name, ((await peer.written()) - bytes) / kept / 1000);
  board.add(STORED, peer.name, ((await peer.stored()) - before) / kept / 1000);
  await server.stop();
}

const costOf = (board: Board, name: string) => ({
  openCpuMs: board.medianOf(lines(5).openCpu, name),
  callCpuMs: board.medianOf(lines(5).callCpu, name),
  openMs: board.medianOf(lines(5).open, name),
  callMs: board.medianOf(lines(5).call, name),
  storedBytes: board.medianOf(STORED, name) * 1000,
});

function goals(board: Board): Figure[] {
  const against = (line: string, name: string) =>
    ratios(board.valuesOf(line, name), board.valuesOf(line, AGENT));
  const above = (line: string) =>
    board.valuesOf(line, OWN).map((cpu, i) => cpu - (board.valuesOf(HEALTHZ_CPU, OWN)[i] ?? NaN));
  return [
    { what: "initialize: CPU ms above /healthz", values: above(lines(0).openCpu), goal: { atMost: 2 } },
    { what: "call: CPU ms above /healthz", values: above(lines(0).callCpu), goal: { atMost: 1 } },
    {
      what: "call p50 against McpAgent, database 5 ms away, within the validation interval",
      values: against(lines(5).call, INTERVAL),
      goal: { atMost: 1 },
    },
    { what: "the same without it", values: against(lines(5).call, OWN), goal: { atMost: 1.5 } },
    {
      what: "calls/s of 16 clients against McpAgent",
      values: against(lines(0).rate, OWN),
      goal: { atLeast: 1.3 },
    },
    {
      what: "CPU of a call against McpAgent, 16 clients",
      values: against(lines(0).rateCpu, OWN),
      goal: { atMost: 0.8 },
    },
    { what: "the same, one client", values: against(lines(0).callCpu, OWN), goal: { atMost: 0.8 } },
  ];
}
