// Replaces two packages of hono-openapi, by an alias in wrangler.toml. They turn schemas of any library into JSON Schema.
// Our routes already carry JSON Schema, so nothing here is ever called.

function unused(): never {
  throw new Error("Routes describe themselves with JSON Schema");
}

export const loadVendor = unused;
export const toJsonSchema = unused;
export const toOpenAPISchema = unused;
