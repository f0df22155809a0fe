// What a JSON Schema of our routes says, in words. Pure.
import * as z from "zod";

const literal = z.union([z.string(), z.number(), z.boolean()]);

// As far as our routes go; another keyword is left to the OpenAPI document.
const schemaShape = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  const: literal.optional(),
  enum: z.array(z.string()).optional(),
  format: z.string().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  default: literal.optional(),
  description: z.string().optional(),
  required: z.array(z.string()).optional(),
  get properties() {
    return z.record(z.string(), schemaShape).optional();
  },
  get items() {
    return schemaShape.optional();
  },
  get anyOf() {
    return z.array(schemaShape).optional();
  },
  get additionalProperties() {
    return z.union([z.boolean(), schemaShape]).optional();
  },
});
type JsonSchema = z.infer<typeof schemaShape>;

/** The values that a schema allows, such as `integer, 1 to 1000, default 100`. */
export function formOf(schema: object): string {
  return describe(schemaShape.parse(schema));
}

function describe(schema: JsonSchema): string {
  const { anyOf, const: constant, enum: values, items, default: fallback } = schema;
  const withDefault = (text: string) => (fallback === undefined ? text : `${text}, default \`${fallback}\``);
  if (anyOf !== undefined) return withDefault([...new Set(anyOf.map(describe))].join(" or "));
  if (constant !== undefined) return `\`${constant}\``;
  if (values !== undefined) return withDefault(values.map((value) => `\`${value}\``).join(", "));
  if (items !== undefined) return `list of ${describe(items)}`;
  return withDefault(
    [schema.format ?? [schema.type ?? "any"].flat().join(" or "), ...rangeOf(schema)].join(", "),
  );
}

// The largest safe integer is zod's way to say that there is no bound.
const isBound = (value: number | undefined) =>
  value !== undefined && Math.abs(value) !== Number.MAX_SAFE_INTEGER;

function rangeOf({ minimum, maximum, minLength, maxLength }: JsonSchema): string[] {
  if (maxLength !== undefined) return [`${minLength ?? 0} to ${maxLength} characters`];
  if (isBound(minimum) && isBound(maximum)) return [`${minimum} to ${maximum}`];
  if (isBound(minimum)) return [`${minimum} or more`];
  return [];
}

/** A field of a body. */
export interface Field {
  /** Its path, such as `sessions[].handle`. */
  name: string;
  form: string;
  description: string | undefined;
}

/** Every field of a body, also of the objects inside it. */
export function fieldsOf(schema: object): Field[] {
  const parsed = schemaShape.parse(schema);
  // One that may have any other fields is not ours: a message of MCP, the OpenAPI document.
  const isOurs = parsed.additionalProperties === false;
  return isOurs ? allFields(parsed, "") : [];
}

function allFields(schema: JsonSchema, prefix: string): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const name = `${prefix}${key}`;
    const isOptional = schema.required?.includes(key) !== true;
    const object = value.anyOf?.find(({ properties }) => properties !== undefined) ?? value;
    const each = typeof object.additionalProperties === "object" ? object.additionalProperties : undefined;
    const children = [
      ...allFields(object, `${name}.`),
      ...(object.items === undefined ? [] : allFields(object.items, `${name}[].`)),
      ...(each === undefined ? [] : allFields(each, `${name}.*.`)),
    ];
    const form = `${describe(value)}${isOptional ? ", may be missing" : ""}`;
    return [{ name, form, description: value.description }, ...children];
  });
}
