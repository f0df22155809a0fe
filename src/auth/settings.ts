import { defineSettings, documented, text } from "../settings.ts";
import { parseApiKeys } from "./api-keys.ts";

const apiKeys = text.transform((value, context) => {
  const { keys, problems } = parseApiKeys(value);
  for (const message of problems) context.addIssue({ code: "custom", message });
  return keys;
});

export const authSettings = defineSettings({
  shape: {
    API_KEYS: documented(
      apiKeys,
      {
        description: "Who may use the Worker, and for what: see [keys](../operate.md#keys).",
        form: "entries `name:scopes:key`",
        default: null,
      },
      "secret",
    ),
  },
  read: (values) => ({ apiKeys: values.API_KEYS }),
});
