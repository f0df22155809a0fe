// How a room declares its variables: a zod schema each, with what the reference manual says of it. Pure.
import * as z from "zod";

/** What the manual says of a variable. Everything is required, so that nothing stays undocumented. */
export interface Manual {
  /** What it does, in one or two sentences. */
  description: string;
  /** Its unit or form, such as `seconds, 0 to 3600`. */
  form: string;
  /** What holds when it is left out; null: it must be set, or, for a binding, it may be missing. */
  default: string | null;
}

export type VariableKind = "variable" | "secret" | "binding";

/** What stands in the reference manual of a variable, as `documented` has put it there. */
export const manuals = z.registry<Manual & { kind: VariableKind }>();

/** Adds what the manual says to a schema. */
export function documented<Schema extends z.ZodType>(
  schema: Schema,
  manual: Manual,
  kind: VariableKind = "variable",
): Schema {
  manuals.add(schema, { ...manual, kind });
  return schema;
}

/** The variables of a room, what must hold between them, and the room's configuration made of their values. */
export interface Settings<Shape extends z.ZodRawShape, Config> {
  shape: Shape;
  rules?: readonly Rule<Values<Shape>>[];
  read: (values: Values<Shape>) => Config;
}

export type Values<Shape extends z.ZodRawShape> = z.output<z.ZodObject<Shape>>;

export interface Rule<V> {
  /** Where a broken rule is reported. */
  variable: keyof V & string;
  holds: (values: V) => boolean;
  /** Follows the name of the variable in the message: `must be …`. */
  problem: string;
}

/** Types the settings of a room. */
export function defineSettings<const Shape extends z.ZodRawShape, Config>(
  settings: Settings<Shape, Config>,
): Settings<Shape, Config> {
  return settings;
}

/** Any value that wrangler.toml can hold, as text. */
export const text = z
  .union([z.string(), z.number(), z.boolean()], { error: "must be set" })
  .transform(String);

/** Ten years: a longer time is a mistake in the unit. */
export const MAX_SECONDS = 315_360_000;

interface Whole {
  description: string;
  unit: string;
  min: number;
  max: number;
}

function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  const isInRange = (value: string) =>
    /^\d{1,15}$/.test(value) && Number(value) >= min && Number(value) <= max;
  return text.refine(isInRange, { error }).transform(Number);
}

/** A whole number with a default. */
export function integer({ description, unit, min, max, default: fallback }: Whole & { default: number }) {
  return documented(wholeNumber(min, max).prefault(fallback), {
    description,
    form: `${unit}, ${min} to ${max}`,
    default: String(fallback),
  });
}

/** A whole number that may be left out; null then. */
export function optionalInteger({
  description,
  unit,
  min,
  max,
  default: fallback,
}: Whole & { default: string }) {
  return documented(
    wholeNumber(min, max)
      .optional()
      .transform((value) => value ?? null),
    { description, form: `${unit}, ${min} to ${max}`, default: fallback },
  );
}

export function flag({ description, default: fallback }: { description: string; default: boolean }) {
  const schema = text
    .transform((value) => value.toLowerCase())
    .pipe(z.enum(["true", "false", "1", "0"], { error: "must be true, false, 1 or 0" }))
    .transform((value) => value === "true" || value === "1")
    .prefault(String(fallback));
  const form = "`true`, `false`, `1`, `0`, any case";
  return documented(schema, { description, form, default: String(fallback) });
}

export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  { description, default: fallback }: { description: string; default: T[number] },
) {
  const schema = text
    .pipe(z.enum(values, { error: `must be one of ${values.join(", ")}` }))
    .prefault(fallback);
  const form = values.map((value) => `\`${value}\``).join(", ");
  return documented(schema, { description, form, default: fallback });
}

/** A binding of wrangler.toml that has `method`. A deployment may leave it out. */
export function optionalBinding<T>(
  method: string,
  { description, form }: Pick<Manual, "description" | "form">,
) {
  const schema = z
    .custom<T>((value) => typeof Object(value)[method] === "function", { error: `must be a ${form}` })
    .optional();
  return documented(schema, { description, form, default: null }, "binding");
}

/** A configuration that stops the Worker. Its message names the variables and what they must be. */
export class ConfigurationError extends Error {
  override name = "ConfigurationError";
  /** Variable name → what it must be. */
  readonly problems: Record<string, string>;

  constructor(problems: Record<string, string>) {
    const list = Object.entries(problems).map(([name, problem]) => `${name} ${problem}`);
    super(`The configuration is wrong: ${list.join("; ")}`);
    this.problems = problems;
  }
}

/**
 * The configuration of one room, for programs that have no others.
 * @throws ConfigurationError naming every variable of the room that is wrong.
 */
export function readSettings<Shape extends z.ZodRawShape, Config>(
  { shape, rules = [], read }: Settings<Shape, Config>,
  env: object,
): Config {
  const { data, error } = z.object(shape).safeParse(env);
  const problems: [string, string][] = (error?.issues ?? []).map(({ path, message }) => [
    String(path[0]),
    message,
  ]);
  if (data !== undefined) {
    for (const { variable, holds, problem } of rules) if (!holds(data)) problems.push([variable, problem]);
  }
  if (data === undefined || problems.length > 0) throw new ConfigurationError(Object.fromEntries(problems));
  return read(data);
}
