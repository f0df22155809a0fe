// Stands for two packages of hono-openapi that turn the schemas of any library into JSON Schema: wrangler.toml puts it
// in their place. Routes describe themselves with JSON Schema already, so none of this is ever called.

function unused(): never {
  throw new Error("Routes describe themselves with JSON Schema");
}

export const loadVendor = unused;
export const toJsonSchema = unused;
export const toOpenAPISchema = unused;
