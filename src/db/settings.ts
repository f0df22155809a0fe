import { defineSettings, documented, text } from "../settings.ts";

const databaseUrl = text.refine(
  (value) => {
    const url = URL.parse(value);
    const isComplete = url?.username && url.password && url.hostname.includes(".") && url.pathname.length > 1;
    return Boolean(isComplete) && ["postgres:", "postgresql:"].includes(url?.protocol ?? "");
  },
  { error: "must be a Neon connection string: postgresql://role:password@host.neon.tech/database" },
);

const loopbackHosts = ["127.0.0.1", "localhost", "[::1]"];
const endpointOverride = text
  .refine(
    (value) => {
      const url = value === "" ? undefined : URL.parse(value);
      return url === undefined || (url?.protocol === "http:" && loopbackHosts.includes(url.hostname));
    },
    { error: "must be empty, or an http URL whose host is 127.0.0.1, localhost or [::1]" },
  )
  .prefault("");

export const databaseSettings = defineSettings({
  shape: {
    DATABASE_URL: documented(
      databaseUrl,
      {
        description: "The Neon database: its connection string.",
        form: "`postgresql://role:password@host.neon.tech/database`",
        default: null,
      },
      "secret",
    ),
    NEON_ENDPOINT_OVERRIDE: documented(endpointOverride, {
      description: "Sends every statement to this URL instead of Neon. For development only.",
      form: "`http://` URL of a loopback host, or empty",
      default: "empty",
    }),
  },
  read: (values) => ({ url: values.DATABASE_URL, endpointOverride: values.NEON_ENDPOINT_OVERRIDE }),
});
