// The registry alone. The package's main module also brings 18 KiB of collectors that count in memory.
declare module "prom-client/lib/registry.js" {
  export { Registry as default } from "prom-client";
}
