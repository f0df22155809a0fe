// What a JSON Schema of our routes says, in words. Pure.
import * as z from "zod";

// As far as our routes go; another keyword is left to the OpenAPI document.
const schemaShape = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  const: z.unknown().optional(),
  enum: z.array(z.string()).optional(),
  format: z.string().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  default: z.unknown().optional(),
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
  const withDefault = (text: string) =>
    fallback === undefined ? text : `${text}, default \`${String(fallback)}\``;
  if (anyOf !== undefined) return withDefault([...new Set(anyOf.map(describe))].join(" or "));
  if (constant !== undefined) return `\`${String(constant)}\``;
  if (values !== undefined) return withDefault(values.map((value) => `\`${value}\``).join(", "));
  if (items !== undefined) return `list of ${items.enum === undefined ? describe(items) : describe(items)}`;
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

interface Field {
  /** Its path, such as `sessions[].handle`. */
  name: string;
  form: string;
  description: string;
}

/** Every field of an object, also of those inside it. */
export function fieldsOf(schema: object, prefix = ""): Field[] {
  return allFields(schemaShape.parse(schema), prefix);
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
    return [{ name, form, description: value.description ?? "" }, ...children];
  });
}
