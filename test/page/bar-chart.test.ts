// The drawings of the history, whatever the numbers are.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bar, barChart, type BarChart, described } from "../../src/page/bar-chart.ts";
import { ticksUpTo } from "../../src/page/figures.ts";
import { labelsOf } from "../../src/page/time-axis.ts";

const HOUR = 3_600_000;
const START = Date.parse("2026-11-25T05:00:00Z");

interface Element {
  name: string;
  attributes: Record<string, string>;
}

/** The elements of a drawing as a parser of HTML sees them, and its texts. */
async function parsed(svg: string) {
  const elements: Element[] = [];
  let text = "";
  const rewriter = new HTMLRewriter().on("*", {
    element: (element) =>
      void elements.push({
        name: element.tagName,
        attributes: Object.fromEntries([...element.attributes] as [string, string][]),
      }),
    text: (chunk) => void (text += chunk.text),
  });
  await rewriter.transform(new Response(svg)).text();
  return { elements, text };
}

const chartOf = (values: readonly (number | null)[], more: Partial<BarChart> = {}): BarChart => {
  const bars = values.map((value, i): Bar => ({
    from: new Date(START + i * HOUR),
    value,
    isOpen: i === values.length - 1,
  }));
  const [first = { from: new Date(START), value: 0, isOpen: true }, ...rest] = bars;
  return {
    id: "opened",
    title: "Sessions opened",
    unit: "sessions",
    axis: "sessions in an hour",
    barSeconds: 3600,
    isWhole: true,
    bars: [first, ...rest],
    ...more,
  };
};
const drawn = async (chart: BarChart) => parsed(String(await barChart(chart)));
const columns = ({ elements }: { elements: Element[] }) =>
  elements.filter(
    ({ name, attributes }) => name === "rect" && attributes["class"] === "column" && attributes["x"] !== "0",
  );

const numbers = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 10 }),
  fc.integer({ min: 0, max: 1_000_000 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
);
const durations = fc.oneof(
  numbers,
  fc.double({ min: 0, max: 1e9, noNaN: true }),
  fc.double({ min: 0, max: 1e-3, noNaN: true }),
);
const maybe = (value: fc.Arbitrary<number>) => fc.option(value, { nil: null, freq: 8 });

test("every coordinate is a number inside the drawing, and a bar is as high as its share", async () => {
  const cases = fc.sample(
    fc.tuple(fc.boolean(), fc.array(maybe(durations), { minLength: 1, maxLength: 60 })),
    200,
  );
  for (const [isWhole, values] of cases) {
    const whole = values.map((value) => (value === null || !isWhole ? value : Math.floor(value)));
    const { elements } = await drawn(chartOf(whole, { isWhole }));
    const [, , width = 0, height = 0] = elements[0]?.attributes["viewbox"]?.split(" ").map(Number) ?? [];
    for (const { name, attributes } of elements) {
      if (name === "pattern" || !("x" in attributes || "x1" in attributes)) continue;
      const at = (key: string) => Number(attributes[key] ?? 0);
      const [left, right] = name === "line" ? [at("x1"), at("x2")] : [at("x"), at("x") + at("width")];
      const [top, bottom] = name === "line" ? [at("y1"), at("y2")] : [at("y"), at("y") + at("height")];
      for (const edge of [left, right, top, bottom]) expect(Number.isFinite(edge)).toBe(true);
      expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
      expect(right).toBeLessThanOrEqual(width + 0.2);
      expect(bottom).toBeLessThanOrEqual(height);
      expect(right - left).toBeGreaterThanOrEqual(0);
    }
    const heights = columns({ elements }).map(({ attributes }) => Number(attributes["height"]));
    expect(heights).toHaveLength(whole.length);
    const most = Math.max(...whole.map((value) => value ?? 0));
    const top = ticksUpTo(most, isWhole).at(-1) ?? 1;
    const shares = whole.map((value) =>
      value === null || value === 0 ? 0 : Math.max((value / top) * 94, 1.5),
    );
    for (const [i, share] of shares.entries())
      expect(Math.abs((heights[i] ?? NaN) - share)).toBeLessThan(0.1);
  }
});

test("the axis begins at 0, ends at the highest bar or above, and has round numbers at equal steps", () => {
  fc.assert(
    fc.property(durations, fc.boolean(), (max, isWhole) => {
      const ticks = ticksUpTo(isWhole ? Math.floor(max) : max, isWhole);
      expect(ticks[0]).toBe(0);
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(isWhole ? Math.floor(max) : max * 0.999_999_999);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(6);
      const step = ticks[1] ?? 0;
      expect(step).toBeGreaterThan(0);
      expect(ticks.every((tick) => !isWhole || Number.isInteger(tick))).toBe(true);
      for (const [i, tick] of ticks.entries()) expect(tick / step).toBeCloseTo(i, 6);
    }),
    { numRuns: 1000 },
  );
});

test.each([
  [0, [0, 1]],
  [1, [0, 1]],
  [4, [0, 1, 2, 3, 4]],
  [7, [0, 2, 4, 6, 8]],
  [1234, [0, 500, 1000, 1500]],
  [1e12, [0, 2.5e11, 5e11, 7.5e11, 1e12]],
])("up to %d the axis has %j", (max, ticks) => {
  expect(ticksUpTo(max, true)).toEqual(ticks);
});

describe("a drawing", () => {
  test("has a title and a description, which name it", async () => {
    const { elements, text } = await drawn(chartOf([3, 1234567, 0]));
    const [svg] = elements;
    expect(svg?.attributes).toMatchObject({ role: "img", "aria-labelledby": "opened-title opened-desc" });
    const ids = elements.map(({ attributes }) => attributes["id"]);
    expect(ids).toEqual(expect.arrayContaining(["opened-title", "opened-desc"]));
    expect(text).toContain("Sessions opened");
    expect(text).toContain("The most: 1,234,567 sessions, 25 Nov 06:00 to 07:00");
  });

  test("has its axes: what is counted, in which time, and in which zone", async () => {
    const { text } = await drawn(chartOf(Array.from({ length: 25 }, (_, i) => i)));
    for (const part of [
      "sessions in an hour",
      "time in UTC",
      "06:00",
      "12:00",
      "18:00",
      "26 Nov",
      "30",
      "10",
    ])
      expect(text).toContain(part);
  });

  test("has room for half of a date on both sides of each label, also of the last bar's", async () => {
    // The last one begins at 06:00.
    const { elements } = await drawn(chartOf(Array.from({ length: 26 }, () => 1)));
    const labels = elements.filter(({ attributes }) => attributes["text-anchor"] === "middle");
    expect(labels).toHaveLength(5);
    for (const { attributes } of labels) {
      expect(Number(attributes["x"])).toBeGreaterThanOrEqual(22);
      expect(Number(attributes["x"])).toBeLessThanOrEqual(320 - 22);
    }
  });

  test("tells each bar: when it was, how much it is, whether more may come, and what is wrong", async () => {
    const chart = chartOf([5, null, 2]);
    const [first, ...rest] = chart.bars;
    const { text } = await drawn({ ...chart, bars: [{ ...first, alarm: "1 of 6 runs failed" }, ...rest] });
    expect(text).toContain("25 Nov 05:00 to 06:00: 5 sessions. 1 of 6 runs failed");
    expect(text).toContain("25 Nov 06:00 to 07:00: not known");
    expect(text).toContain("25 Nov 07:00 to 08:00: 2 sessions, so far");
    expect(text).toContain("Not known: 1 of them. Crosses: 1. Hatched bars are not complete yet");
  });

  test("does not need colour: what is open is hatched, what is wrong has a cross, what is unknown has a ground", async () => {
    const chart = chartOf([5, null, 2]);
    const [first, ...rest] = chart.bars;
    const { elements } = await drawn({
      ...chart,
      bars: [{ ...first, alarm: "1 of 6 runs failed" }, ...rest],
    });
    const fills = columns({ elements }).map(({ attributes }) => attributes["fill"]);
    expect(fills).toEqual(["currentColor", "currentColor", "url(#opened-open)"]);
    expect(elements.filter(({ attributes }) => attributes["class"] === "alarm")).toHaveLength(1);
    expect(elements.filter(({ attributes }) => attributes["class"] === "unknown")).toHaveLength(1);
    expect(elements.find(({ name }) => name === "pattern")?.attributes["id"]).toBe("opened-open");
  });

  test.each([
    ["of zeros", [0, 0, 0], "No sessions"],
    ["of one bar", [7], "1 bars of an hour each"],
    ["of huge numbers", [1e12, 2e12], "The most: 2,000,000,000,000 sessions"],
    ["of nothing that is known", [null, null], "Not known: 2 of them"],
  ])("%s is whole", async (_, values, told) => {
    const { text, elements } = await drawn(chartOf(values));
    expect(text).toContain(told);
    expect(columns({ elements })).toHaveLength(values.length);
  });

  test("escapes what it is given", async () => {
    const { elements } = await drawn(chartOf([1], { title: "</title><script>", unit: "<b>", id: '"><i>' }));
    for (const name of ["script", "b", "i"])
      expect(elements.map((element) => element.name)).not.toContain(name);
  });
});

describe("labels of the times", () => {
  const labels = (count: number, barSeconds: number, start = START) =>
    labelsOf(
      Array.from(
        { length: count },
        (_, i) => new Date(Math.floor(start / barSeconds / 1000) * barSeconds * 1000 + i * barSeconds * 1000),
      ),
      barSeconds,
    );

  test.each([
    ["a day of hours", 25, 3600, ["06:00", "12:00", "18:00", "26 Nov"]],
    ["a week of six hours", 29, 6 * 3600, ["25 Nov", "27 Nov", "29 Nov", "1 Dec"]],
    ["a month of days", 31, 86_400, ["26 Nov", "3 Dec", "10 Dec", "17 Dec", "24 Dec"]],
    ["one hour", 1, 3600, ["05:00"]],
  ])("of %s are few, and at round times", (_, count, barSeconds, expected) => {
    expect(labels(count, barSeconds).filter((label) => label !== undefined)).toEqual(expected);
  });

  test("are never more than six", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom(3600, 6 * 3600, 86_400),
        fc.integer({ min: 0, max: 4e12 }),
        (count, bar, start) => {
          expect(labels(count, bar, start).filter((label) => label !== undefined).length).toBeLessThanOrEqual(
            7,
          );
        },
      ),
    );
  });
});

describe("to the point", () => {
  const shapesOf = async (chart: BarChart, name: string, kind: string) =>
    (await drawn(chart)).elements
      .filter(({ name: is, attributes }) => is === name && attributes["class"] === kind)
      .map(({ attributes }) => attributes);
  const chart = () => {
    const made = chartOf([4, null, 0, 8]);
    const bars = made.bars.map((bar, i) => (i === 2 ? { ...bar, alarm: "1 of 2 runs failed" } : bar));
    return { ...made, bars: bars as unknown as BarChart["bars"] };
  };
  const rect = (x: number, y: number, width: number, height: number) =>
    expect.objectContaining({ x: `${x}`, y: `${y}`, width: `${width}`, height: `${height}` });

  test("a bar stands on the floor, as wide as its time but for a gap", async () => {
    // The first is of the pattern.
    const [, ...bars] = await shapesOf(chart(), "rect", "column");
    expect(bars).toEqual([
      rect(47, 77, 64.5, 47),
      rect(113.5, 124, 64.5, 0),
      rect(180, 124, 64.5, 0),
      rect(246.5, 30, 64.5, 94),
    ]);
    expect(bars.map(({ fill }) => fill)).toEqual([
      "currentColor",
      "currentColor",
      "currentColor",
      "url(#opened-open)",
    ]);
    expect(await shapesOf(chart(), "rect", "unknown")).toEqual([rect(112.5, 30, 66.5, 94)]);
    expect(await shapesOf(chart(), "rect", "reach")).toEqual(
      [46, 179, 245.5].map((x) => rect(x, 30, 66.5, 94)),
    );
  });

  test("a hundred bars have smaller gaps, and one that is small beside another is seen", async () => {
    const values = Array.from({ length: 100 }, (_, i) => (i === 99 ? 1000 : 1));
    const [, first] = await shapesOf(chartOf(values), "rect", "column");
    expect(first).toEqual(rect(46.3, 122.5, 2, 1.5));
  });

  test("the axis of numbers begins on the floor, and its numbers stand beside it", async () => {
    const ofLine = (y: number) => expect.objectContaining({ x1: "46", x2: "312", y1: `${y}`, y2: `${y}` });
    const [axis] = await shapesOf(chart(), "line", "axis");
    expect(axis).toEqual(ofLine(124));
    const rules = await shapesOf(chart(), "line", "rule");
    expect(rules.at(-1)).toEqual(ofLine(30));
    const { elements } = await drawn(chart());
    const texts = elements.filter(({ name }) => name === "text").map(({ attributes }) => attributes);
    const at = (anchor: string, x: number, y: number) => ({ "text-anchor": anchor, x: `${x}`, y: `${y}` });
    expect(texts[0]).toEqual(at("start", 2, 12));
    expect(texts[1]).toEqual(at("end", 41, 128));
    expect(texts[rules.length + 1]).toEqual(at("end", 41, 34));
    expect(texts.slice(-5)).toEqual([
      at("middle", 46, 141),
      at("middle", 112.5, 141),
      at("middle", 179, 141),
      at("middle", 245.5, 141),
      at("end", 312, 156),
    ]);
    const [, tick] = await shapesOf(chart(), "line", "axis");
    expect(tick).toEqual(expect.objectContaining({ x1: "46", x2: "46", y1: "124", y2: "128" }));
  });

  test("the label of a bar at the end stands as far in as it reaches", async () => {
    const bars = chartOf(Array.from({ length: 25 }, () => 1)).bars.map((bar, i) => ({
      ...bar,
      from: new Date(Date.parse("2026-11-25T00:00:00Z") + i * HOUR),
    }));
    const { elements } = await drawn(chartOf([1], { bars: bars as unknown as BarChart["bars"] }));
    const labels = elements.filter(({ attributes }) => attributes["text-anchor"] === "middle");
    expect(labels.at(-1)?.attributes["x"]).toBe("298");
  });

  test("a cross stands above the middle of its bar", async () => {
    const crosses = await shapesOf(chart(), "path", "alarm");
    expect(crosses).toEqual([expect.objectContaining({ d: "M208.3 18l8 8m0 -8l-8 8" })]);
  });

  test("the description says what there is, and no more", async () => {
    expect((await drawn(chart())).text).toContain(
      "4 bars of an hour each, the first 25 Nov 05:00 to 06:00 UTC. The most: 8 sessions, 25 Nov 08:00 to 09:00. Not known: 1 of them. Crosses: 1. Hatched bars are not complete yet",
    );
    const closed = (values: number[]) =>
      described({
        ...chartOf(values),
        bars: chartOf(values).bars.map((bar) => ({ ...bar, isOpen: false })) as never,
      });
    expect(closed([3, 3])).toBe(
      "2 bars of an hour each, the first 25 Nov 05:00 to 06:00 UTC. The most: 3 sessions, 25 Nov 05:00 to 06:00",
    );
    expect(closed([0])).toBe("1 bars of an hour each, the first 25 Nov 05:00 to 06:00 UTC. No sessions");
  });
});
