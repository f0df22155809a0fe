// What the pages of handles and of tasks have in common: a list, one of it, and the question before it is ended. Pure.
import { html } from "hono/html";
import { badge, button, type Cell, count, facts, hidden, type Html, link, soft, time } from "./elements.ts";
import { address, choice, filter, list, moreFields, textField } from "./list.ts";
import { pathOfPrincipal, principalOf } from "./session-words.ts";

/** What both have. */
export interface KeptRow {
  key: string;
  principal: string;
  issuer?: string | undefined;
  subject?: string | undefined;
  state: "active" | "expired";
  version: number;
  created_at: string | null;
  expires_at: string | null;
}

/** What was asked for, as it was typed. */
export type KeptQuery = Readonly<Record<string, string | undefined>>;

type Facts = readonly (readonly [string, Cell])[];

/** How one kind of rows is written. */
export interface KeptWords<Row extends KeptRow> {
  /** `handle`, in a sentence. */
  noun: string;
  /** `End`, on what ends one. */
  verb: string;
  /** `ended`. */
  done: string;
  /** The title of the list. */
  title: string;
  path: string;
  fields: (value: (name: string) => string | undefined) => readonly Html[];
  /** The columns between the principal and the end of its life. */
  columns: readonly { label: string; cell: (row: Row) => Cell }[];
  /** What stands on its own page beside that. */
  more: (row: Row) => Facts;
  isEndable: (row: Row) => boolean;
  /** What becomes of it afterwards. */
  afterwards: string;
}

// As the columns have them.
const PRINCIPAL_CHARACTERS = 512;
const NAME_CHARACTERS = 8;

export const pathOfKept = ({ path }: Pick<KeptWords<never>, "path">, { key }: Pick<KeptRow, "key">): string =>
  `${path}/${key}`;

const nameOf = ({ key }: KeptRow): Html => html`<code>${key.slice(0, NAME_CHARACTERS)}</code>`;

export function keptList<Row extends KeptRow>(
  words: KeptWords<Row>,
  query: KeptQuery,
  found: { rows: readonly Row[]; next: string | null } | undefined,
  lookedAt: number,
): Html {
  const { path, noun, verb, title, columns } = words;
  const value = (name: string) => query[name];
  const person = (name: string, label: string) =>
    textField({ name, label, value: value(name) }, PRINCIPAL_CHARACTERS);
  return html`${filter(
    path,
    [
      person("principal", "Principal"),
      ...words.fields(value),
      choice({ name: "state", label: "State", value: value("state") }, ["active", "expired"]),
      textField({ name: noun, label: "Name in the log", value: value(noun) }, NAME_CHARACTERS, "short"),
    ],
    moreFields("By issuer and subject of a token", (query["issuer"] ?? query["subject"]) !== undefined, [
      person("issuer", "Issuer"),
      person("subject", "Subject"),
    ]),
  )}${
    found &&
    list({
      caption: `${title}, in an order that never changes`,
      head: [
        title.slice(0, -1),
        "Principal",
        ...columns.map(({ label }) => label),
        "Expires or expired",
        verb,
      ],
      rows: found.rows.map((row) => [
        link(pathOfKept(words, row), nameOf(row)),
        link(pathOfPrincipal(row.principal, path), principalOf(row)),
        ...columns.map(({ cell }) => cell(row)),
        time(row.expires_at),
        words.isEndable(row) ? link(`${pathOfKept(words, row)}/end`, `${verb}…`) : "",
      ]),
      next: found.next === null ? undefined : address(path, { ...query, after: found.next }),
      empty:
        found.next === null
          ? `No ${noun} is like this.`
          : `None of the ${count(lookedAt)} that were looked at is like this. There may be some on the next page.`,
    })
  }`;
}

const sheet = (pairs: Facts): Html => html`<div class="sheet narrow">${facts(pairs)}</div>`;

export function keptPage<Row extends KeptRow>(words: KeptWords<Row>, row: Row): Html {
  const { columns, path, noun, verb } = words;
  return html`${sheet([
    ["Name in the log", nameOf(row)],
    ["Principal", principalOf(row)],
    ...columns.map(({ label, cell }) => [label, cell(row)] as const),
    ["Made", time(row.created_at)],
    [row.state === "active" ? "Expires" : "Expired", time(row.expires_at)],
    ...words.more(row),
    ["Key", html`<code>${row.key}</code>`],
  ])}
<p class="row">${words.isEndable(row) && html`<a class="button" href="${pathOfKept(words, row)}/end">${verb} this ${noun}…</a>`}
${link(pathOfPrincipal(row.principal, path), `All ${noun}s of this principal`)}</p>`;
}

/** @param csrf of the form. */
export function keptQuestion<Row extends KeptRow>(words: KeptWords<Row>, row: Row, csrf: string): Html {
  const { columns, noun, verb, done } = words;
  const path = pathOfKept(words, row);
  return words.isEndable(row)
    ? html`${sheet([
        [words.title.slice(0, -1), nameOf(row)],
        ["Principal", principalOf(row)],
        ...columns.map(({ label, cell }) => [label, cell(row)] as const),
      ])}<p>${words.afterwards}</p>
<form method="post" action="${path}/end" class="row">${hidden(csrf)}${button(`${verb} this ${noun}`, "danger")} ${link(path, "Leave it")}</form>`
    : html`<p>It cannot be ${done} any more. ${link(path, `The ${noun}`)}</p>`;
}

export const stateBadge = ({ state }: Pick<KeptRow, "state">): Html =>
  badge(state, state === "active" ? "good" : "plain");

/** A number of bytes; softly what stands for none. */
export const bytes = (amount: number | null, none: string): Cell =>
  amount === null ? soft(none) : `${count(amount)} bytes`;
