import { defineSettings, documented, text } from "../settings.ts";
import { parseApiKeys } from "./api-keys.ts";
import { readTokenSettings, tokenRules, tokenShape } from "./token-settings.ts";

const apiKeys = text.transform((value, context) => {
  const { keys, problems } = parseApiKeys(value);
  for (const message of problems) context.addIssue({ code: "custom", message });
  return keys;
});

/** OAuth by itself, for an app that may have no keys. */
export const tokenSettings = defineSettings({
  shape: tokenShape,
  rules: tokenRules,
  read: readTokenSettings,
});

export const authSettings = defineSettings({
  shape: {
    API_KEYS: documented(
      apiKeys,
      {
        description:
          "Who may use the Worker, and for what. Example: `monitor:health:Vb0Zr…, ops:health+admin:sha256=9f86d081…`. The name stands in logs, and may stand twice, to change a key without a gap. The key is 24 to 256 letters, digits or `-._~+/`, or its SHA-256 in hex.",
        form: "entries `name:scopes:key`, separated by commas or spaces; scopes joined with `+`",
        default: null,
      },
      "secret",
    ),
    ...tokenShape,
  },
  rules: tokenRules,
  read: (values) => ({ apiKeys: values.API_KEYS, ...readTokenSettings(values) }),
});
