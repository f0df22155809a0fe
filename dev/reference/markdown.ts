// Markdown as the pages of the reference need it. Pure.
import { rooms } from "../../src/env.ts";

/** A page before it is formatted, and what it could not say because the code has no description of it. */
export interface Page {
  text: string;
  /** One line for each thing without a description, with its name. */
  problems: string[];
}

export const code = (text: string) => `\`${text}\``;
export const block = (language: string, text: string) => `\`\`\`${language}\n${text.trim()}\n\`\`\``;
export const list = (items: readonly string[]) => items.map((item) => `- ${item}`).join("\n");
/** Blank lines between the blocks that there are. */
export const blocks = (...parts: (string | undefined)[]) =>
  parts.filter((part) => part !== undefined && part !== "").join("\n\n");

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.map(cell).join(" | ")} |`).join("\n");
}

const cell = (text: string) => text.replaceAll(/\s+/g, " ").replaceAll("|", String.raw`\|`);

/** The anchor of a heading, as GitHub makes it. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\-_ ]/gu, "")
    .replaceAll(" ", "-");
}

/** A link to a heading of a page of the reference. The heading is code, as all names are. */
export const linkTo = (page: string, heading: string) =>
  `[${code(heading)}](${page}.md#${anchorOf(heading)})`;

const variables = new Set(Object.values(rooms).flatMap(({ shape }) => Object.keys(shape)));

/** Text of the code, with a link at each name of a variable. */
export function prose(text: string): string {
  return text.replaceAll(/`[^`]*`|\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g, (match) => {
    const name = match.replaceAll("`", "");
    return variables.has(name) ? linkTo("variables", name) : match;
  });
}

/** The description of something, or a problem that names it. */
export function described(what: string, description: string | undefined, problems: string[]): string {
  if (description !== undefined && description.trim() !== "") return prose(description.trim());
  problems.push(`${what} has no description`);
  return "";
}

const NOTICE =
  "<!-- Generated from the code by `npm run docs`. Do not edit it by hand: change the description in the code. -->";

/** A whole page. */
export function pageOf(title: string, ...parts: (string | undefined)[]): string {
  return `${blocks(NOTICE, `# ${title}`, ...parts)}\n`;
}
