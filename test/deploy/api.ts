// What the parts of the stand-in have in common: what an account keeps, and how a route answers.
import type { IncomingMessage } from "node:http";
import type { Binding, Upload } from "./upload.ts";

export interface Version {
  id: string;
  upload: Upload;
  /** Those of the upload, after what it inherits has been filled in. */
  bindings: Binding[];
}

/** How many percent of the requests each version gets, by its id. */
export type Deployment = Record<string, number>;

export interface Script {
  versions: Version[];
  /** The newest last. */
  deployments: Deployment[];
  crons: string[];
  onSubdomain: boolean;
  /** Whether each version has a public URL of its own. */
  hasVersionUrls: boolean;
  /** What is not part of a version. */
  settings: Record<string, unknown>;
}

export interface Account {
  scripts: Map<string, Script>;
  /** KV namespaces: the title of each id. */
  namespaces: Map<string, string>;
}

export interface Call {
  parts: string[];
  query: URLSearchParams;
  request: IncomingMessage;
  body: Buffer;
}

/** By method and path below the account's own, with `:name` for a part of any value. */
export type Routes = Record<string, (call: Call) => unknown>;

/** What the API refuses, with its code. */
export class Refused extends Error {
  override name = "Refused";
  declare readonly status: number;
  declare readonly errors: { code: number; message: string }[];
  constructor(status: number, ...errors: { code: number; message: string }[]) {
    super(errors[0]?.message);
    Object.assign(this, { status, errors });
  }
}

export const NO_SCRIPT = { code: 10007, message: "This Worker does not exist on your account." };
export const NO_SERVICE = { code: 10090, message: "This service does not exist." };

/** @throws Refused when there is none. */
export function scriptNamed({ scripts }: Account, name = "", missing = NO_SCRIPT): Script {
  const script = scripts.get(name);
  if (script === undefined) throw new Refused(404, missing);
  return script;
}

const isSecret = ({ type }: Binding) => type === "secret_text";

/** The bindings as the API shows them: it returns no secret. */
export const shownBindings = (bindings: readonly Binding[]) =>
  bindings.map((binding) => (isSecret(binding) ? { name: binding.name, type: binding.type } : binding));

export const secretsOf = (bindings: readonly Binding[]) => shownBindings(bindings.filter(isSecret));
