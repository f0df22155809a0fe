// What all lists of the page have: a filter, a table, and a link to the next page. Pure.
import { html, raw } from "hono/html";
import { type Cell, type Column, type Html, pager, soft, table } from "./elements.ts";

/** A path with those parameters that are set. */
export function address(
  path: string,
  parameters: Readonly<Record<string, string | number | undefined>>,
): string {
  const set = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[name, String(value)]],
  );
  return set.length === 0 ? path : `${path}?${new URLSearchParams(set).toString()}`;
}

/** What was filled in, without the spaces around it. A form also sends the fields that were not. */
export const filledIn = (query: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query)
      .map(([name, value]) => [name, value.trim()] as const)
      .filter(([, value]) => value !== ""),
  );

export interface List {
  caption: string;
  head: readonly Column[];
  rows: readonly (readonly Cell[])[];
  /** Where the next page is; undefined at the end. */
  next: string | undefined;
  /** What stands there instead of a table without rows. */
  empty: string;
}

export const list = ({ caption, head, rows, next, empty }: List): Html =>
  html`${rows.length === 0 ? html`<p>${soft(empty)}</p>` : table(head, rows, caption)}${pager(next)}`;

/** A form that asks for a list again. What is not filled in is left out of what is asked. */
export const filter = (path: string, fields: readonly Html[], more: Html | "" = ""): Html =>
  html`<form class="filter" action="${path}" role="search">${fields}<button>Filter</button> <a href="${path}">All</a>${more}</form>`;

interface Field {
  name: string;
  label: string;
  value: string | undefined;
}

const labelled = ({ name, label }: Field, kind: "" | "short", control: Html): Html =>
  html`<div class="${kind}"><label for="${name}">${label}</label>${control}</div>`;

/** @param kind `short` for what has a few characters. */
export const textField = (field: Field, maxLength: number, kind: "" | "short" = ""): Html =>
  labelled(
    field,
    kind,
    html`<input id="${field.name}" name="${field.name}" value="${field.value ?? ""}" maxlength="${maxLength}" autocomplete="off" />`,
  );

/** @param choices beside "any", which is no choice. */
export const choice = (field: Field, choices: readonly string[]): Html =>
  labelled(
    field,
    "short",
    html`<select id="${field.name}" name="${field.name}"><option value="">any</option>${choices.map(
      (of) => html`<option ${of === field.value ? raw("selected") : ""}>${of}</option>`,
    )}</select>`,
  );

/** Fields that few need. They are open when one is filled in. */
export const moreFields = (label: string, isOpen: boolean, fields: readonly Html[]): Html =>
  html`<details ${isOpen ? raw("open") : ""}><summary>${label}</summary><div>${fields}</div></details>`;
