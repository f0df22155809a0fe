// The small parts of which pages are made. Pure. Text that is not ours goes through `untrusted`.
import { html } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

/** Markup that is escaped already. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** What stands in a cell. Text is escaped. */
export type Cell = string | number | Html;

// A name that is longer says no more to a person.
const UNTRUSTED_CHARACTERS = 120;
// Controls, marks that turn text around, and all else that is not seen. Spelled out where a mark joins emoji: nobody needs it.
const INVISIBLE =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?<=\p{M}{3})\p{M}/gu;

/** Text of a client or a principal, as one text of it: cut, in a direction of its own, what is invisible as `\u{202e}`. */
export function untrusted(text: string, characters = UNTRUSTED_CHARACTERS): Html {
  // One character has two units at most, so this cuts before anything is counted.
  const all = Array.from(text.slice(0, 2 * characters + 2));
  const cut = all.slice(0, characters).join("");
  const visible = cut.replace(INVISIBLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
  return html`<bdi>${visible}${all.length > characters ? "…" : ""}</bdi>`;
}

/** A moment in UTC. The script of the page turns it into the time of the reader, and keeps UTC at hand. */
export function time(moment: Date | string | null): Html {
  if (moment === null) return html`<span class="none">not known</span>`;
  const iso = moment instanceof Date ? moment.toISOString() : moment;
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`;
}

/** A length of time in its two largest units: `3 d 4 h`, `12 min`, `850 ms`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = Math.round(milliseconds / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0);
  const shown = parts.slice(first, first + 2).filter(([value]) => value > 0);
  return shown.map(([value, unit]) => `${value} ${unit}`).join(" ");
}

/** A number with commas between its thousands. */
export const count = (value: number): string => value.toLocaleString("en-US");

/** A column whose cells are numbers is aligned at its end. */
export type Column = string | { label: string; isNumber: true };

/** A table with its caption; the first cell of a row names the row. On a narrow screen it scrolls by itself. */
export function table(head: readonly Column[], rows: readonly (readonly Cell[])[], caption: string): Html {
  const kinds = head.map((column) => (typeof column === "string" ? "" : "number"));
  const labels = head.map((column) => (typeof column === "string" ? column : column.label));
  const cell = (content: Cell, i: number) =>
    i === 0 ? html`<th scope="row">${content}</th>` : html`<td class="${kinds[i]}">${content}</td>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<caption>${caption}</caption>
<thead><tr>${labels.map((label, i) => html`<th scope="col" class="${kinds[i]}">${label}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>`)}</tbody>
</table></div>`;
}

/** The field that shows that a form is of this page. Every form has it. */
export const hidden = (csrf: string): Html => html`<input type="hidden" name="csrf" value="${csrf}" />`;

/** `danger` is for what cannot be taken back. */
export const button = (label: string, kind: "primary" | "plain" | "danger" = "plain"): Html =>
  html`<button type="submit" class="${kind}">${label}</button>`;

/** The link to the next page of a list; undefined at its end. */
export const pager = (next: string | undefined): Html =>
  next === undefined
    ? html``
    : html`<nav class="pager" aria-label="Pages"><a href="${next}" rel="next">Next page</a></nav>`;

/** A short word of state with its colour, which is never all that says it. */
export const badge = (label: string, kind: "good" | "warning" | "bad" | "plain" = "plain"): Html =>
  html`<span class="badge ${kind}">${label}</span>`;

/** Names and values, one under the other. `wide`: on a sheet that is as wide as the page. */
export const facts = (pairs: readonly (readonly [string, Cell])[], width: "" | "wide" = ""): Html =>
  html`<dl class="facts ${width}">${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

/** A part of a page with a heading of its own. @param beside what stands beside the heading. */
export const section = (heading: string, body: Html, beside: Html | "" = ""): Html =>
  html`<section class="sheet"><div class="head"><h2>${heading}</h2>${beside}</div>${body}</section>`;

/** A link; text alone when there is nowhere to go. */
export const link = (path: string | undefined, content: string | number | Html): Html =>
  path === undefined ? html`${content}` : html`<a href="${path}">${content}</a>`;

/** What is said softly beside something else. */
export const soft = (text: string | Html): Html => html`<span class="none">${text}</span>`;

/** A text to copy, with what it is. */
export const toCopy = (name: string, text: string): Html =>
  html`<div class="copy" data-name="${name}"><pre tabindex="0">${text}</pre></div>`;

/** Where the manual says more. It has no address of its own: it stands in the repository of the Worker. */
export const manual = (file: string, part: string): Html =>
  html`<span class="manual"><code>${file}</code>, “${part}”</span>`;
