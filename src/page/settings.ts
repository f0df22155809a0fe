import type { RateLimit } from "../session/settings.ts";
import { defineSettings, flag, optionalBinding } from "../settings.ts";

export const pageSettings = defineSettings({
  shape: {
    ADMIN_PAGE: flag({
      default: false,
      description:
        "Switches the page of operators on: `/admin`, and a page at `/` that says where to look. [More](../page.md)",
    }),
    SIGN_IN_RATE_LIMIT: optionalBinding<RateLimit>("limit", {
      description:
        "How many wrong keys one address may try on `/admin/sign-in`, in each Cloudflare location. Without it each isolate counts by itself.",
      form: "rate limit binding",
    }),
  },
  read: (values) => ({ isOn: values.ADMIN_PAGE, signInRateLimit: values.SIGN_IN_RATE_LIMIT }),
});
