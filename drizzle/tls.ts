// What sslmode and its like mean over TCP. At Neon, TLS is always used and the certificate always checked, as the Worker does
// it over HTTPS. Elsewhere they mean what they mean to libpq.
import { readFileSync } from "node:fs";
import * as tls from "node:tls";
import type { sslModes } from "../src/db/connection-parameters.ts";
import type { ConnectionString } from "../src/db/connection-string.ts";
import { isNeonHost } from "../src/db/neon-host.ts";

/** TLS as node-postgres takes it; false for none. */
export type Tls = false | tls.ConnectionOptions;

export type SslMode = (typeof sslModes)[number];

type Environment = Readonly<Record<string, string | undefined>>;

/** The mode of a connection string, or PGSSLMODE, or libpq's default. */
export function sslModeOf({ parameters }: ConnectionString, environment: Environment): SslMode {
  const given =
    parameters.get("sslmode")?.toLowerCase() ?? modeOfSsl(parameters.get("ssl")) ?? environment["PGSSLMODE"];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reader has refused others; those of PGSSLMODE are prefer
  return given !== undefined && Object.hasOwn(ways, given) ? (given as SslMode) : "prefer";
}

/** `ssl` of node-postgres and JDBC. */
function modeOfSsl(ssl: string | undefined): SslMode | undefined {
  if (ssl === undefined) return undefined;
  if (ssl === "no-verify") return ssl;
  return /^(?:false|0|off|no)$/i.test(ssl) ? "disable" : "require";
}

interface Certificates {
  own: tls.ConnectionOptions;
  trusted: tls.ConnectionOptions;
  hasRoots: boolean;
}

const anybody = ({ own }: Certificates): Tls => ({ ...own, rejectUnauthorized: false });
const anyName = ({ trusted }: Certificates): Tls => ({ ...trusted, checkServerIdentity: () => undefined });

const ways: Record<SslMode, (certificates: Certificates) => Tls[]> = {
  disable: () => [false],
  allow: (certificates) => [false, anybody(certificates)],
  prefer: (certificates) => [anybody(certificates), false],
  // With a root certificate it is verify-ca (libpq, "SSL Mode Descriptions").
  require: (certificates) => [certificates.hasRoots ? anyName(certificates) : anybody(certificates)],
  "no-verify": (certificates) => [anybody(certificates)],
  "verify-ca": (certificates) => [anyName(certificates)],
  "verify-full": ({ trusted }) => [trusted],
};

/**
 * What to try, in this order.
 * @throws Error when a file with a certificate or a key cannot be read, or is none
 */
export function waysOf(target: ConnectionString, environment: Environment): Tls[] {
  const { host, parameters } = target;
  const mode = sslModeOf(target, environment);
  const roots = parameters.get("sslrootcert");
  const file = (name: keyof typeof forms) => fileOf(name, parameters.get(name));
  const [ca, cert, key] = [
    roots === "system" ? systemRoots() : file("sslrootcert"),
    file("sslcert"),
    file("sslkey"),
  ];
  const own: tls.ConnectionOptions = {
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  checkTogether(own);
  const trusted = { ...own, ...(ca !== undefined && { ca }) };
  // With the system's roots libpq takes no weaker mode: anybody can have a certificate of those.
  const isFull = (isNeonHost(host) && mode !== "no-verify") || (roots === "system" && mode !== "disable");
  const found = ways[isFull ? "verify-full" : mode]({ own, trusted, hasRoots: ca !== undefined });
  // Only TLS has a channel that can be bound.
  return parameters.get("channel_binding")?.toLowerCase() === "require"
    ? found.filter((way) => way !== false)
    : found;
}

/** The roots of the operating system, and those of NODE_EXTRA_CA_CERTS; undefined for Node's, where it cannot tell them. */
function systemRoots(): string[] | undefined {
  const system = certificatesIn("system");
  return system.length === 0 ? undefined : [...system, ...certificatesIn("extra")];
}

// From Node 22.15 on.
const certificatesIn = (store: "system" | "extra") => tls.getCACertificates?.(store) ?? [];

const forms = {
  sslrootcert: /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/,
  sslcert: /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/,
  sslkey: /-----BEGIN (?:\w+ )*PRIVATE KEY-----/,
};

function fileOf(name: keyof typeof forms, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`${name} of the connection string cannot be read: ${codeOf(error)}`, { cause: error });
  }
  if (forms[name].test(text)) return text;
  const what = name === "sslkey" ? "private key" : "certificate";
  throw new Error(`${name} of the connection string is a file without a ${what} in PEM form`);
}

/** Node would say it in the words of OpenSSL. @throws Error */
function checkTogether(own: tls.ConnectionOptions): void {
  let code: string;
  try {
    tls.createSecureContext(own);
    return;
  } catch (error) {
    code = codeOf(error);
  }
  throw new Error(
    `sslcert and sslkey of the connection string cannot be used: ${code}. The key must belong to the certificate, and have no passphrase`,
  );
}

const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown error";
