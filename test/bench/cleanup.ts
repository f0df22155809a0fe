// A big backlog, deleted by a cleanup run and by what others do: one unbounded DELETE, connect-pg-simple's own pruning, and
// the statements of river and solid_cache. Quiet, beside clients that touch sessions, and under an old snapshot.
import type { Life } from "../../dev/shutdown.ts";
import { Backlog, type Round } from "./cleanup/backlog.ts";
import { type Figure, percentile, ratios } from "./figures.ts";
import { onServer } from "./server.ts";

const SMALLER = 5;

export async function cleanup(life: Life, quick: boolean): Promise<Figure[]> {
  const rows = quick ? 100_000 : 1_000_000;
  return onServer((server) =>
    compare(new Backlog(life, server, rows), new Backlog(life, server, rows / SMALLER), quick ? 1 : 5),
  );
}

/** @param smaller for what takes twenty times as long for each session. */
async function compare(bench: Backlog, smaller: Backlog, pairs: number): Promise<Figure[]> {
  for (const order of ["correlated", "shuffled"] as const) {
    console.log(`Filling in ${bench.rows} sessions, half of them expired, expiry ${order} with insertion.`);
    await bench.fill(order);
    await smaller.fill(order);
  }

  const rounds: Record<string, Round[]> = {};
  const run = async (name: string, round: () => Promise<Round>) => {
    const measured = await round();
    (rounds[name] ??= []).push(measured);
    const longest = percentile(measured.transactions, 1).toFixed(1);
    console.log(
      `  ${name}: ${measured.seconds.toFixed(2)} s, longest transaction ${longest} ms, touches p99 ${percentile(measured.touches, 0.99).toFixed(2)} ms, longest ${percentile(measured.touches, 1).toFixed(1)} ms`,
    );
  };
  // A single pair gives no figures to quote, and needs no warm-up.
  for (let i = pairs === 1 ? 1 : 0; i <= pairs; i++) {
    console.log(i === 0 ? "warm-up" : `pair ${i} of ${pairs}`);
    for (const order of ["correlated", "shuffled"] as const) {
      await run(`${order} ours`, () => bench.ours(order));
      await run(`${order} DELETE`, () => bench.unbounded(order));
      await run(`${order} prune`, () => bench.prune(order));
      await run(`${order} ours, touched`, () => bench.ours(order, { touched: true }));
      await run(`${order} DELETE, touched`, () => bench.unbounded(order, { touched: true }));
    }
    for (const order of ["correlated", "shuffled"] as const) {
      await run(`${order} ours, referenced`, () => smaller.ours(order, { references: "live" }));
      await run(`${order} ours, one blocked`, () => smaller.ours(order, { references: "expired" }));
    }
    await run("correlated river", () => bench.byLimit("correlated"));
    await run("correlated solid_cache", () => smaller.byKeys("correlated"));
    await run("correlated ours, old snapshot", () => bench.ours("correlated", { oldSnapshot: true }));
    if (i === 0) for (const name of Object.keys(rounds)) rounds[name] = [];
  }

  const of = (name: string, valueOf: (round: Round) => number) => (rounds[name] ?? []).map(valueOf);
  const seconds = (name: string) => of(name, (round) => round.seconds);
  const secondsEach = (name: string) => of(name, (round) => round.seconds / round.deleted);
  const longest = (name: string) => of(name, ({ transactions }) => percentile(transactions, 1));
  const touch = (name: string, share: number) => of(name, ({ touches }) => percentile(touches, share));
  const idle = (name: string) => of(name, ({ idleTouches }) => percentile(idleTouches, 0.99));
  const snapshot = "correlated ours, old snapshot";
  return [
    ...(["correlated", "shuffled"] as const).flatMap((order): Figure[] => [
      {
        what: `${order}: sessions/s against an unbounded DELETE`,
        values: ratios(seconds(`${order} DELETE`), seconds(`${order} ours`)),
        goal: { atLeast: order === "correlated" ? 1 : 0.6 },
      },
      {
        what: `${order}: sessions/s against connect-pg-simple's pruning`,
        values: ratios(seconds(`${order} prune`), seconds(`${order} ours`)),
      },
      {
        what: `${order}: longest transaction, ms`,
        values: longest(`${order} ours`),
        digits: 1,
        goal: { atMost: 50 },
      },
      { what: `${order}: the DELETE's transaction, ms`, values: longest(`${order} DELETE`), digits: 0 },
      {
        what: `${order}: p99 of touches meanwhile, against idle`,
        values: ratios(touch(`${order} ours, touched`, 0.99), idle(`${order} ours, touched`)),
        goal: { atMost: 3 },
      },
      {
        what: `${order}: p99 of touches, against during the DELETE`,
        values: ratios(touch(`${order} ours, touched`, 0.99), touch(`${order} DELETE, touched`, 0.99)),
        goal: { atMost: 1 },
      },
      {
        what: `${order}: longest touch meanwhile, ms`,
        values: touch(`${order} ours, touched`, 1),
        digits: 1,
        goal: { atMost: 30 },
      },
      {
        what: `${order}, one blocked: time against the same run without it`,
        values: ratios(seconds(`${order} ours, one blocked`), seconds(`${order} ours, referenced`)),
      },
      {
        what: `${order}, one blocked: longest transaction, ms`,
        values: longest(`${order} ours, one blocked`),
        digits: 1,
        goal: { atMost: 50 },
      },
      {
        what: `${order}, none blocked: longest transaction, ms`,
        values: longest(`${order} ours, referenced`),
        digits: 1,
      },
    ]),
    ...["river", "solid_cache"].map((name) => ({
      what: `correlated: sessions/s against the form of ${name}`,
      values: ratios(secondsEach(`correlated ${name}`), secondsEach("correlated ours")),
      goal: { atLeast: 1 },
    })),
    {
      what: "under an old snapshot: last batch against first",
      values: of(snapshot, ({ transactions }) => (transactions.at(-1) ?? NaN) / (transactions[0] ?? NaN)),
      goal: { atMost: 2 },
    },
    {
      what: "under an old snapshot: time against without",
      values: ratios(seconds(snapshot), seconds("correlated ours")),
      goal: { atMost: 1.5 },
    },
  ];
}
