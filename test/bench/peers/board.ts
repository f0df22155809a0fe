// What was measured of each peer, as one table: a line for each kind of figure, a column for each peer.
import { summaryOf } from "../figures.ts";
import { table } from "../soak/tally.ts";

export class Board {
  readonly #peers: readonly string[];
  readonly #lines = new Map<string, Map<string, number[] | string>>();

  constructor(peers: readonly string[]) {
    this.#peers = peers;
  }

  add(what: string, peer: string, value: number): void {
    const line = this.#lineOf(what);
    const values = line.get(peer);
    line.set(peer, [...(Array.isArray(values) ? values : []), value]);
  }

  /** Why there is no figure. */
  say(what: string, peer: string, words: string): void {
    this.#lineOf(what).set(peer, words);
  }

  /** One value for each round. */
  valuesOf(what: string, peer: string): number[] {
    const values = this.#lineOf(what).get(peer);
    return Array.isArray(values) ? values : [];
  }

  medianOf(what: string, peer: string): number {
    return summaryOf({ what, values: this.valuesOf(what, peer) }).median;
  }

  /** Medians. */
  render(): string {
    return table([
      ["", ...this.#peers],
      ...[...this.#lines].map(([what, line]) => [
        what,
        ...this.#peers.map((peer) => {
          const cell = line.get(peer);
          if (!Array.isArray(cell)) return cell ?? "";
          const median = this.medianOf(what, peer);
          return median.toFixed(median < 10 ? 2 : median < 100 ? 1 : 0);
        }),
      ]),
    ]);
  }

  #lineOf(what: string): Map<string, number[] | string> {
    const line = this.#lines.get(what) ?? new Map<string, number[] | string>();
    this.#lines.set(what, line);
    return line;
  }
}
