import * as z from "zod";
import { defineSettings, documented, text } from "../settings.ts";
import {
  type ConnectionString,
  ConnectionStringError,
  passwordOf,
  readConnectionString,
} from "./connection-string.ts";
import { neonHostProblem, neonHostProblems } from "./neon-host.ts";

const databaseUrl = text.transform((value, context) => {
  try {
    const target = readConnectionString(value);
    passwordOf(target);
    return target;
  } catch (error) {
    if (!(error instanceof ConnectionStringError)) throw error;
    context.addIssue({ code: "custom", message: error.message });
    return z.NEVER;
  }
});

const loopbackHosts = ["127.0.0.1", "localhost", "[::1]"];
const endpointOverride = text
  .refine(
    (value) => {
      if (value === "") return true;
      // Not URL.parse: the command runs on Node 20, too.
      const url = URL.canParse(value) ? new URL(value) : undefined;
      return url?.protocol === "http:" && loopbackHosts.includes(url.hostname);
    },
    { error: "must be empty, or an http URL whose host is 127.0.0.1, localhost or [::1]" },
  )
  .prefault("");

export const databaseSettings = defineSettings({
  shape: {
    DATABASE_URL: documented(
      databaseUrl,
      {
        description:
          "The Neon database: its connection string, as the Neon console copies it. What is taken and what is refused: [Connection strings](../database.md#connection-strings).",
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
  rules: neonHostProblems.map((problem) => ({
    variable: "DATABASE_URL" as const,
    holds: (values: { DATABASE_URL: ConnectionString; NEON_ENDPOINT_OVERRIDE: string }) =>
      neonHostProblem(values.DATABASE_URL, values.NEON_ENDPOINT_OVERRIDE !== "") !== problem,
    problem,
  })),
  read: (values) => ({ url: values.DATABASE_URL.url, endpointOverride: values.NEON_ENDPOINT_OVERRIDE }),
});
