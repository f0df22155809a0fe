// The version that answers, and the configuration that differs from its defaults. Pure.
import { html } from "hono/html";
import type { Version } from "../health/settings.ts";
import type { UnknownVariable } from "../unknown-variables.ts";
import type { Difference } from "./differences.ts";
import { badge, facts, type Html, manual, section, soft, table, time, untrusted } from "./elements.ts";

export interface Setup {
  version: Version;
  differences: readonly Difference[];
  unknownVariables: readonly UnknownVariable[];
}

export const configurationSection = ({ version, differences, unknownVariables }: Setup): Html =>
  section(
    "This Worker",
    html`${facts(
      [
        ["Version", html`<code>${untrusted(version.id)}</code>`],
        ...(version.tag === "" ? [] : [["Tag", untrusted(version.tag)] as const]),
        ["Deployed", time(isoOf(version.deployedAt))],
      ],
      "wide",
    )}
${unknownVariables.map(
  ({ name, nearest }) =>
    html`<p>${badge("read by nothing", "bad")} <code>${untrusted(name)}</code>${nearest && html`. Is <code>${nearest}</code> meant?`}</p>`,
)}
${table(["Variable", "Value", "Default"], differences.map(row), "Variables that differ from their defaults")}
<p class="hint">Of a secret only that it is set. ${manual("docs/reference/variables.md", "Variables, secrets and bindings")}</p>`,
  );

const row = ({ name, value, fallback }: Difference) => [
  html`<code>${name}</code>`,
  value === undefined ? soft("set") : html`<code>${untrusted(value)}</code>`,
  fallback === null ? soft("must be set") : fallback.replaceAll("`", ""),
];

/** As Cloudflare writes it, which can be anything. */
const isoOf = (text: string | null) => {
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) ? null : new Date(at);
};
