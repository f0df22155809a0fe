// The registry alone: the package's main module also brings what collects in memory, 18 KiB of it.
declare module "prom-client/lib/registry.js" {
  export { Registry as default } from "prom-client";
}
