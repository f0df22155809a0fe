// Numbers as people read them on a page, and the marks of an axis. Pure.

/** With separators: `1,234,567`. */
export const figure = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 2 });

// Beyond this the compact form has no letter left, and grows.
const COMPACT_BELOW = 1e15;

/** In a few characters, as an axis has room for: `1.2M`. */
export const shortFigure = (value: number): string =>
  value.toLocaleString("en", {
    notation: value < COMPACT_BELOW ? "compact" : "scientific",
    maximumSignificantDigits: 3,
  });

// One and a half centimetres apart on a phone: enough to read a bar's height by.
const STEPS = 4;
// What is less than a thousandth is nothing that anybody measures here.
const LEAST = 0.001;
const NICE = [1, 2, 2.5, 5, 10];

/**
 * The marks of an axis from 0 up to at least `max`, about four of them, at round numbers.
 * @param isWhole whether what is counted has no fractions.
 */
export function ticksUpTo(max: number, isWhole: boolean): number[] {
  const highest = Math.max(max > 0 ? max : 1, LEAST);
  const wanted = highest / STEPS;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const nice = NICE.map((factor) => factor * power);
  const step = nice.find((size) => size >= wanted && (!isWhole || Number.isInteger(size))) ?? highest;
  // Multiplied and rounded, so that 3 × 0.1 is 0.3.
  return Array.from({ length: Math.max(Math.ceil(max / step), 1) + 1 }, (_, i) =>
    Number((i * step).toPrecision(12)),
  );
}
