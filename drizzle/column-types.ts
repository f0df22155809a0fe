// What another program's column is to this one: its type fits, can be converted when asked, or can be made to fit by hand.
// Pure.
import { endReasons } from "../src/session/session.ts";
import type { SharedColumn } from "./shared-table.ts";

/** How a column gets another type. */
export type Change =
  | { kind: "fits" }
  | { kind: "none" }
  | {
      kind: "convert" | "by hand";
      /** The parts of an ALTER TABLE before it, which cannot be parts of the same one. */
      before?: string[];
      /** The parts of ALTER TABLE. */
      actions: string[];
      note: string;
    };

/** How many characters we write into a text column at most. */
export const MOST_CHARACTERS: Readonly<Record<string, number>> = {
  // The SHA-256 of an id, in hex (src/session/session.ts).
  session_id: 64,
  // The issuer and the subject of a token (src/auth/claims.ts). The name of a key is shorter.
  principal: 512,
  // MCP names a revision by its date: 2025-11-25.
  protocol_version: 10,
  // MCP's longest level: emergency.
  log_level: 9,
  end_reason: Math.max(...endReasons.map((reason) => reason.length)),
  // A UUID, a slash and a bigint (src/session/state-store.ts).
  state_writes: 36 + 1 + 19,
};

// Their text is the value itself, so nothing is lost.
const TEXTS = ["character varying", "character", "name", '"char"', "citext", "text"];
const WHOLE_NUMBERS = ["smallint", "integer", "bigint"];
const NUMBERS = [...WHOLE_NUMBERS, "numeric", "real", "double precision"];

// Only these are compared, and a collation may take different texts for equal.
const COMPARED = ["session_id", "principal"];

const FITS: Change = { kind: "fits" };
const NONE: Change = { kind: "none" };

/**
 * @param wanted the type that src/db/schema.ts declares
 * @param isRoundable whether a time may have less than microseconds
 */
export function changeTo(wanted: string, column: SharedColumn, isRoundable: boolean): Change {
  if (isFit(wanted, column) && (isRoundable || column.precision === null)) return FITS;
  const change = (CHANGES[wanted] ?? (() => NONE))(column, isRoundable);
  // A domain holds rules of its owner, which a conversion would drop.
  if (column.isDomain && change.kind === "convert") return { ...change, kind: "by hand" };
  return change;
}

function isFit(wanted: string, { name, baseType, length, isDeterministic }: SharedColumn): boolean {
  const isLongEnough = length === null || length >= (MOST_CHARACTERS[name] ?? Infinity);
  if (wanted === "text") {
    const isExact = isDeterministic || !COMPARED.includes(name);
    return (baseType === "text" || baseType === "character varying") && isLongEnough && isExact;
  }
  if (wanted === "text[]") {
    return (baseType === "text[]" || baseType === "character varying[]") && isLongEnough;
  }
  return baseType === wanted;
}

/** The statement's parts for `ALTER COLUMN … TYPE type USING using`. */
function retype(
  { quoted, default: value }: SharedColumn,
  type: string,
  using?: string,
  newDefault?: string | null,
) {
  const column = `ALTER COLUMN ${quoted}`;
  return [
    ...(value !== null && newDefault !== undefined ? [`${column} DROP DEFAULT`] : []),
    `${column} TYPE ${type}${using === undefined ? "" : ` USING ${using}`}`,
    ...(value !== null && typeof newDefault === "string" ? [`${column} SET DEFAULT ${newDefault}`] : []),
  ];
}

const CHANGES: Readonly<Record<string, (column: SharedColumn, isRoundable: boolean) => Change>> = {
  text: toText,
  "timestamp with time zone": toTime,
  jsonb: toJson,

  bigint(column) {
    const actions = retype(column, "bigint");
    if (WHOLE_NUMBERS.includes(column.baseType)) return { kind: "convert", actions, note: "its values stay" };
    return column.baseType === "numeric" ? { kind: "by hand", actions, note: "" } : NONE;
  },

  "text[]"(column) {
    const isText = TEXTS.some((type) => column.baseType === `${type}[]`);
    const actions = retype(column, "text[]", `${column.quoted}::text[]`);
    return isText ? { kind: "convert", actions, note: "its values stay" } : NONE;
  },
};

function toText(column: SharedColumn): Change {
  const { baseType, isEnum, isDeterministic, isIdentity, quoted } = column;
  if (baseType === "text" || baseType === "character varying") {
    if (isDeterministic) return { kind: "convert", actions: retype(column, "text"), note: "its values stay" };
    const note =
      "its collation takes different texts for equal; the other program gets the database's collation";
    return { kind: "convert", actions: retype(column, 'text COLLATE "default"'), note };
  }
  const note = "the other program must compare it as text from then on";
  if (TEXTS.includes(baseType) || baseType === "uuid" || isEnum) {
    return { kind: "convert", actions: retype(column, "text", `${quoted}::text`), note };
  }
  if (baseType === "bytea") {
    return { kind: "by hand", actions: retype(column, "text", `encode(${quoted}, 'hex')`, null), note };
  }
  return {
    kind: "by hand",
    ...(isIdentity && { before: [`ALTER COLUMN ${quoted} DROP IDENTITY`] }),
    actions: retype(column, "text", `${quoted}::text`),
    note,
  };
}

function toTime(column: SharedColumn, isRoundable: boolean): Change {
  const { baseType, precision, quoted, defaultType, default: value } = column;
  const to = "timestamp with time zone";
  if (baseType === to) {
    const note = "created_at and last_active are compared, so they need the same precision";
    return { kind: "convert", actions: retype(column, to), note };
  }
  if (baseType === "timestamp without time zone") {
    const isZoneless = defaultType === "timestamp without time zone";
    const actions = retype(
      column,
      isRoundable && precision !== null ? `timestamp(${precision}) with time zone` : to,
      `${quoted} AT TIME ZONE 'UTC'`,
      // PostgreSQL would read its value in the time zone of the one who inserts.
      isZoneless ? `(${value}) AT TIME ZONE 'UTC'` : undefined,
    );
    return { kind: "convert", actions, note: "its values are read as UTC" };
  }
  if (baseType === "date") {
    const using = `${quoted}::timestamp AT TIME ZONE 'UTC'`;
    return { kind: "by hand", actions: retype(column, to, using, null), note: "midnight, UTC" };
  }
  if (NUMBERS.includes(baseType)) {
    const note = `seconds since 1970; for milliseconds: to_timestamp(${quoted} / 1000.0)`;
    return { kind: "by hand", actions: retype(column, to, `to_timestamp(${quoted})`, null), note };
  }
  if (TEXTS.includes(baseType)) {
    const note = "times without a zone are read in the time zone of your connection";
    return { kind: "by hand", actions: retype(column, to, `${quoted}::${to}`, null), note };
  }
  return NONE;
}

function toJson(column: SharedColumn): Change {
  const { baseType, quoted, default: value } = column;
  if (baseType === "json") {
    const note = "spaces, the order of keys and repeated keys are lost";
    return { kind: "convert", actions: retype(column, "jsonb", `${quoted}::jsonb`), note };
  }
  if (TEXTS.includes(baseType)) {
    const json = value === null ? null : jsonOf(value);
    const actions = retype(column, "jsonb", `${quoted}::jsonb`, json ?? null);
    return json === undefined
      ? { kind: "by hand", actions, note: `its default ${value} is not JSON, and is dropped` }
      : { kind: "convert", actions, note: "spaces, the order of keys and repeated keys are lost" };
  }
  if (baseType.endsWith("[]")) {
    return { kind: "by hand", actions: retype(column, "jsonb", `to_jsonb(${quoted})`, null), note: "" };
  }
  if (baseType === "hstore") {
    return {
      kind: "by hand",
      actions: retype(column, "jsonb", `hstore_to_jsonb(${quoted})`, null),
      note: "",
    };
  }
  return NONE;
}

/** Whether texts of this type may be JSON. */
export const mayHoldJson = (baseType: string) => baseType === "json" || TEXTS.includes(baseType);

/** A default of type text as a default of type jsonb; undefined when it is not JSON, or is computed. */
function jsonOf(expression: string): string | undefined {
  const [, literal] = /^('(?:[^']|'')*')::[a-z ]+$/.exec(expression) ?? [];
  if (literal === undefined) return undefined;
  try {
    JSON.parse(literal.slice(1, -1));
    return `${literal}::jsonb`;
  } catch {
    return undefined; // The caller says what is wrong.
  }
}
