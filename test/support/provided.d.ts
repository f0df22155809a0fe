// What the global setup hands to the tests in workerd.
import type * as vitest from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** URL of the control server. */
    control: string;
    neonEndpoint: string;
    databasePassword: string;
    /** URL of web-server.ts. */
    webServer: string;
  }
}

export type { vitest };
