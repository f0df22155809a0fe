// Which variables differ from their defaults, for operators to see. No secret is ever read. Pure.
import * as z from "zod";
import { manuals } from "../settings.ts";

export interface Difference {
  name: string;
  /** As it is configured; undefined of a secret, which is only said to be set. */
  value: string | undefined;
  /** What would hold without it, in the words of the manual; null: it must be set. */
  fallback: string | null;
}

/**
 * In the order of the manual. Bindings are left out: they have no values.
 * @param shape the variables of all rooms; those of the author's server are the author's to show.
 */
export function findDifferences(shape: z.ZodRawShape, env: object): Difference[] {
  const values = new Map<string, unknown>(Object.entries(env));
  return Object.entries(shape).flatMap(([name, schema]): Difference[] => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a room's shape is made of zod's schemas
    const type = schema as z.ZodType;
    const manual = manuals.get(type);
    const value = values.get(name);
    // What nobody has documented could be anything.
    if (manual === undefined || manual.kind === "binding" || value === undefined) return [];
    const fallback = manual.default;
    if (manual.kind === "secret") return [{ name, value: undefined, fallback }];
    return meaningOf(type, value) === meaningOf(type, undefined)
      ? []
      : [{ name, value: shown(value), fallback }];
  });
}

/** What a room makes of a value, to compare. */
function meaningOf(schema: z.ZodType, value: unknown): string {
  const { data } = schema.safeParse(value);
  return JSON.stringify(data instanceof Map ? [...data] : data) ?? "";
}

/** Addresses of other programs can have a secret in their query. */
const shown = (value: unknown) =>
  (typeof value === "string" ? value : JSON.stringify(value)).replaceAll(/\?\S*/g, "?…");
