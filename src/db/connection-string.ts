// Reads a connection string, for every program of this project in the same way. Pure. What it says of a wrong one names the
// part and what to do, and never repeats the string: there is a password in it.
import { ConnectionStringError, readParameters } from "./connection-parameters.ts";
import { unwrapped } from "./pasted-value.ts";

export { ConnectionStringError };

export interface ConnectionString {
  /** For Neon's driver: as it was given, without what surrounded it, and with the parts that its parameters replace. */
  url: string;
  /** In lower case, without a dot at its end. An IPv6 address has no brackets. */
  host: string;
  port: number;
  role: string;
  /** Undefined when there is none. */
  password: string | undefined;
  database: string;
  /** What follows the question mark, by name in lower case, without what replaces a part. */
  parameters: ReadonlyMap<string, string>;
}

export const DEFAULT_PORT = 5432;

const FORM = "postgresql://role:password@host/database";
const SOCKET = `names no host. A unix socket cannot be used: ${FORM}`;

const encodeIt = (part: string) =>
  `has a ${part} that is not percent-encoded. Percent-encode it: write / as %2F, # as %23, ? as %3F, @ as %40, : as %3A, ` +
  "% as %25, a space as %20, [ as %5B, ] as %5D, \\ as %5C, and others as encodeURIComponent() of JavaScript does";

/** @throws ConnectionStringError */
export function readConnectionString(text: string): ConnectionString {
  const given = unwrapped(text);
  checkShape(given);
  const [, scheme = "", authority = "", path = "", query = ""] = PARTS.exec(given) ?? [];
  const at = authority.lastIndexOf("@");
  if (isCutShort(at, path, query)) refuse(encodeIt("password"));
  const { replacements, values, kept } = readParameters(query);

  const [writtenRole = "", ...afterColon] = authority.slice(0, Math.max(at, 0)).split(":");
  const host = readHost(replacements.get("host"), authority.slice(at + 1));
  const role = readPart("role", writtenRole, replacements.get("user"));
  const password = readPart("password", afterColon.join(":"), replacements.get("password"));
  const database = readPart("database", path.replace(/\/$/, ""), replacements.get("dbname"));
  if (role.value === "") refuse(`names no role: ${FORM}`);
  const port = readPort(replacements.get("port"), authority.slice(at + 1));
  if (database.value === "") refuse(`names no database: ${FORM}`);
  if (/^(?:endpoint|project)=[^;$]*[;$]/.test(password.value)) {
    refuse(
      "has endpoint= in its password, which is for clients without SNI. Take it out, with the ; or $ that ends it",
    );
  }
  checkEndpoint(values.get("options"), host);

  const secret = password.written === "" ? "" : `:${password.written}`;
  const place = `${host.includes(":") ? `[${host}]` : host}${port === DEFAULT_PORT ? "" : `:${port}`}`;
  return {
    url: `${scheme.toLowerCase()}://${role.written}${secret}@${place}/${database.written}${kept}`,
    host,
    port,
    role: role.value,
    password: password.value === "" ? undefined : password.value,
    database: database.value,
    parameters: values,
  };
}

/** The password of a string. @throws ConnectionStringError when there is none */
export function passwordOf({ password }: ConnectionString): string {
  return password ?? refuse(`names no password: ${FORM}`);
}

function refuse(problem: string): never {
  throw new ConnectionStringError(problem);
}

const SCHEME = /postgres(?:ql)?:\/\//gi;
const PARTS = /^(postgres(?:ql)?):\/\/([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/i;

function checkShape(given: string): void {
  if (/[\r\n\u2028\u2029]/.test(given)) refuse("has more than one line");
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(given)) refuse("has a control character");
  if (/^(?:socket:|\/)/i.test(given)) refuse(SOCKET);
  if (/^["'`“”‘’«]|["'`“”‘’»]$/.test(given)) refuse("has a quotation mark at one end only");
  if (given.search(SCHEME) !== 0) refuse(`must be a connection string, such as ${FORM}`);
  if (given.match(SCHEME)?.length !== 1) refuse("has two connection strings");
  const hash = given.indexOf("#");
  if (hash === -1) return;
  if (given.includes("@", hash)) refuse(encodeIt("password"));
  refuse("has a # after its password. Take it out, or percent-encode it as %23");
}

/** A / or a ? in a password ends the part before the host too early, and the @ stands behind it. */
function isCutShort(at: number, path: string, query: string): boolean {
  if (path.includes("@") || /(?:^|&)[^=&]*@/.test(query)) return true;
  return (at === -1 || path === "") && query.includes("@") && !/(?:^|&)user=/i.test(query);
}

// What masks a password, and what templates and shells would have replaced. None of it is a percent-encoded text of its own.
const PLACEHOLDER =
  /^(?:\w*[*•●]{3,}|…|\[[\w -]+\]|<[\w -]+>|\$?\{\w+\}|\$?\{\{[^{}]*\}\}|\$\(\w+\)|%[A-Za-z_]\w*%)$/;

/** A part as it was written and what it means; a parameter replaces it, as with libpq. */
function readPart(part: string, written: string, replacement: string | undefined) {
  if (replacement !== undefined) return { written: encodeURIComponent(replacement), value: replacement };
  if (PLACEHOLDER.test(written)) {
    refuse(`has a placeholder for its ${part}. Copy it again, with the password shown`);
  }
  // The first colon ends the role, so a password may have others: RFC 3986, section 3.2.1.
  const plain = part === "password" ? written.replaceAll(":", "") : written;
  const isEncoded = /^(?:[!"$&'()*+,\-.0-9;<=>A-Z^_`a-z{|}~]|%[0-9a-f]{2})*$/i.test(plain);
  const value = (isEncoded ? decoded(written) : undefined) ?? refuse(encodeIt(part));
  if (value.includes("\0")) refuse(`has a NUL (%00) in its ${part}`);
  return { written, value };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // The caller says which part.
  }
}

const MANY_HOSTS = "must name one host, not several";

function readHost(replacement: string | undefined, place: string): string {
  const written = replacement ?? decoded(place.replace(/:[^:\]]*$/, "")) ?? "%";
  const host = written.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  if (host === "" || /^[/@]/.test(host)) refuse(SOCKET);
  if (host.includes(",")) refuse(MANY_HOSTS);
  const isName = host.length <= 253 && /^[\w-]{1,63}(?:\.[\w-]{1,63})*$/.test(host);
  // Without brackets, the last group of an IPv6 address would be taken for a port.
  const mayBeIpv6 = (replacement !== undefined || place.startsWith("[")) && /^[0-9a-f:.]+$/i.test(host);
  const isIpv6 = mayBeIpv6 && URL.canParse(`http://[${host}]`);
  if (!isName && !isIpv6) {
    refuse(
      "has a host that can be none. It must be in ASCII; an international name begins with xn--, and an IPv6 address " +
        "stands in brackets: [2001:db8::1]",
    );
  }
  return host.toLowerCase();
}

function readPort(replacement: string | undefined, place: string): number {
  const written = (replacement ?? /:([^:\]]*)$/.exec(place)?.[1]) || String(DEFAULT_PORT);
  if (written.includes(",")) refuse(MANY_HOSTS);
  const port = /^\d{1,5}$/.test(written) ? Number(written) : 0;
  if (port < 1 || port > 65_535) refuse("must have a port from 1 to 65535");
  return port;
}

/** Clients without SNI name their endpoint in `options`. Here the host names it. */
function checkEndpoint(options: string | undefined, host: string): void {
  const endpoint = host.split(".")[0]?.replace(/-pooler$/, "");
  const named = options
    ?.toLowerCase()
    .replace(/^(?:endpoint|project)=/, "")
    .replace(/-pooler$/, "");
  if (named !== undefined && named !== endpoint) {
    refuse("has the parameter options with another endpoint than that of its host");
  }
}
