// What a run of the mutants says.
import { reasonOf } from "./known.ts";
import type { Mutant } from "./mutant.ts";
import type { Result } from "./worker.ts";

interface Row {
  room: string;
  mutants: number;
  tried: number;
  killed: number;
  timedOut: number;
  survived: number;
  equivalent: number;
  invalid: number;
  /** Of those that are valid and not equivalent; null when there are none. */
  killedPercent: number | null;
}

export function rowsOf(all: Mutant[], results: Result[]): Row[] {
  const rooms = Map.groupBy(all, ({ room }) => room);
  return [...rooms].map(([room, mutants]) => {
    const own = results.filter(({ mutant }) => mutant.room === room);
    const count = (outcome: Result["outcome"]) => own.filter((result) => result.outcome === outcome).length;
    const equivalent = survivorsOf(own).filter(({ mutant }) => reasonOf(mutant) !== undefined).length;
    const killed = count("killed");
    const timedOut = count("timed out");
    const survived = count("survived") - equivalent;
    const counted = killed + timedOut + survived;
    return {
      room,
      mutants: mutants.length,
      tried: own.length,
      killed,
      timedOut,
      survived,
      equivalent,
      invalid: count("invalid"),
      killedPercent: counted === 0 ? null : Math.floor((1000 * (killed + timedOut)) / counted) / 10,
    };
  });
}

const survivorsOf = (results: Result[]) => results.filter(({ outcome }) => outcome === "survived");

/** A table in Markdown. */
export function tableOf(rows: Row[]): string {
  const head = "| room | mutants | tried | killed | timed out | survived | equivalent | invalid | killed % |";
  const line = "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";
  return [
    head,
    line,
    ...rows.map(
      (row) =>
        `| ${row.room} | ${row.mutants} | ${row.tried} | ${row.killed} | ${row.timedOut} | ${row.survived} | ${row.equivalent} | ${row.invalid} | ${row.killedPercent ?? "–"} |`,
    ),
  ].join("\n");
}

export const lineOf = ({ id, file, mutator, line, change }: Mutant) =>
  `${id} ${file}: ${mutator}: ${change}\n           in: ${line}`;

/** The survivors that nothing excuses. */
export const unexcused = (results: Result[]) =>
  survivorsOf(results).filter(({ mutant }) => reasonOf(mutant) === undefined);

export const jsonOf = (all: Mutant[], results: Result[], faults: string[]) =>
  JSON.stringify(
    {
      rooms: rowsOf(all, results),
      results: results.map(({ mutant, outcome, by }) => ({
        ...mutant,
        outcome,
        by,
        equivalent: reasonOf(mutant),
      })),
      faults,
    },
    null,
    2,
  );
