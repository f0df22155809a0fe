// The version that answers, and the configuration that differs from its defaults. Pure.
import { html } from "hono/html";
import type { Version } from "../health/settings.ts";
import type { UnknownVariable } from "../unknown-variables.ts";
import type { Difference } from "./differences.ts";
import { badge, facts, type Html, manual, table, time, untrusted } from "./elements.ts";

export interface Setup {
  version: Version;
  differences: readonly Difference[];
  unknownVariables: readonly UnknownVariable[];
}

export function configurationSection({ version, differences, unknownVariables }: Setup): Html {
  return html`<section class="sheet" aria-labelledby="worker">
    <h2 id="worker">This Worker</h2>
    ${facts(
      [
        ["Version", html`<code>${version.id}</code>`],
        ...(version.tag === "" ? [] : [["Tag", untrusted(version.tag)] as const]),
        ...(version.deployedAt === null ? [] : [["Deployed", time(isoOf(version.deployedAt))] as const]),
      ],
      "wide",
    )}
    ${unknown(unknownVariables)}
    ${
      differences.length === 0
        ? html`<p class="hint">Every variable has its default.</p>`
        : table(
            ["Variable", "Value", "Default"],
            differences.map(row),
            "Variables that differ from their defaults",
          )
    }
    <p class="hint">
      Of a secret only that it is set.
      ${manual("docs/reference/variables.md", "Variables, secrets and bindings")}
    </p>
  </section>`;
}

const row = ({ name, value, fallback }: Difference) => [
  html`<code>${name}</code>`,
  value === undefined ? html`<span class="none">set</span>` : html`<code>${untrusted(value)}</code>`,
  fallback === null ? html`<span class="none">must be set</span>` : fallback.replaceAll("`", ""),
];

const unknown = (variables: readonly UnknownVariable[]): Html =>
  variables.length === 0
    ? html``
    : html`<div class="notice bad">
        <p>${badge("unknown variable", "bad")} Nothing reads these. Were others meant?</p>
        <ul>
          ${variables.map(
            ({ name, nearest }) =>
              html`<li>
                <code>${untrusted(name)}</code
                >${nearest === null ? "" : html`: perhaps <code>${nearest}</code>`}
              </li>`,
          )}
        </ul>
      </div>`;

/** As Cloudflare writes it, which can be anything. */
function isoOf(text: string): string | null {
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}
