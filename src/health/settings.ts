import * as z from "zod";
import { defineSettings, documented, integer, text } from "../settings.ts";

const ratio = (fallback: number, description: string) =>
  documented(
    text
      .refine((value) => /^\d{1,9}(\.\d{1,9})?$/.test(value) && Number(value) > 0, {
        error: "must be a number above 0",
      })
      .transform(Number)
      .prefault(fallback),
    { description, form: "a number above 0", default: String(fallback) },
  );

// Its texts are Cloudflare's.
const error = "must be version metadata";
const ofCloudflare = z.string({ error });
const versionMetadata = documented(
  z.object({ id: ofCloudflare, tag: ofCloudflare, timestamp: ofCloudflare }, { error }).optional(),
  {
    description: "Which version of the Worker answers, for `/metrics` and `/session-health?verbose=1`.",
    form: "version metadata",
    default: null,
  },
  "binding",
);

/** Which version of the Worker answers. */
export interface Version {
  id: string;
  tag: string;
  /** As Cloudflare writes it; null when it is not known. */
  deployedAt: string | null;
}

export const healthSettings = defineSettings({
  shape: {
    // Uptime monitors wait 10 to 30 s. A suspended Neon compute needs a few seconds to wake.
    HEALTH_TIMEOUT_MS: integer({
      default: 8000,
      min: 100,
      max: 60_000,
      unit: "milliseconds",
      description: "The time limit of the statement of `/session-health` and `/metrics`, retries included.",
    }),
    HEALTH_MAX_AGE_SECONDS: integer({
      default: 0,
      min: 0,
      max: 3600,
      unit: "seconds",
      description:
        "How long requests in one Cloudflare location share an answer of `/session-health`. 0: each request asks.",
    }),
    HEALTH_EXPIRED_RATIO_MAX: ratio(
      1,
      "Health is degraded when there are more expired sessions than this for each active one, and more than 100.",
    ),
    CF_VERSION_METADATA: versionMetadata,
  },
  read: (values) => ({
    timeoutMs: values.HEALTH_TIMEOUT_MS,
    maxAgeSeconds: values.HEALTH_MAX_AGE_SECONDS,
    expiredRatioMax: values.HEALTH_EXPIRED_RATIO_MAX,
    version: versionOf(values.CF_VERSION_METADATA),
  }),
});

function versionOf(metadata: z.output<typeof versionMetadata>): Version {
  return {
    id: metadata?.id ?? "unknown",
    tag: metadata?.tag ?? "",
    deployedAt: metadata?.timestamp ?? null,
  };
}
