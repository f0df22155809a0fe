// Which hosts a Neon database can have. Neon's driver sends each statement, with the connection string, to https://api.REST/sql,
// REST being the host without its first label: with the host of another provider, that would be a stranger. Pure.
import {
  type ConnectionString,
  DEFAULT_PORT,
  passwordOf,
  readConnectionString,
} from "./connection-string.ts";
import { ConnectionStringError } from "./connection-parameters.ts";

type Place = Pick<ConnectionString, "host" | "port">;

/** A kind of place that the Worker cannot reach, in words that follow the name of the connection string. */
interface Exclusion {
  problem: string;
  /** @param isOverridden NEON_ENDPOINT_OVERRIDE sends the statements elsewhere */
  has: (place: Place, isOverridden: boolean) => boolean;
}

const ELSEWHERE = "For another PostgreSQL there is npm run dev -- --database URL";

// Labels of neon.tech that are no database.
const SERVICES = /^(?:api|apiauth|console|docs|pg|status|www)\.neon\.(?:tech|build)$/;
// Names that the public DNS does not have (RFC 6761, RFC 6762, ICANN's .internal).
const PRIVATE = /\.(?:local|internal|intranet|lan|home|corp|test|invalid|example|onion)$/;
const OTHER_PROVIDERS =
  /\.(?:supabase\.(?:co|com|net)|amazonaws\.com(?:\.cn)?|azure\.com|windows\.net|ondigitalocean\.com|render\.com|aivencloud\.com|rlwy\.net|railway\.app|cockroachlabs\.cloud|timescale\.com|crunchybridge\.com|elephantsql\.com|prisma\.io|prisma-data\.(?:net|com)|psdb\.cloud|yugabyte\.cloud|fly\.dev|flycast|scw\.cloud|ovh\.net|xata\.sh|tembo\.io|thenile\.dev|gel\.com|heroku\.com|googleapis\.com|ibm\.com|appdomain\.cloud|oraclecloud\.com)$/;

// As URLs have it: a host whose last label is a number is an IPv4 address.
const isAddress = (host: string) => host.includes(":") || /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(host);
const isThisMachine = (host: string) =>
  /^(?:127\.[\d.]+|0\.0\.0\.0|::1|::)$/.test(host) || /(?:^|\.)localhost$/.test(host);
const isPublicName = (host: string) => /^[a-z\d-]+(?:\.[a-z\d-]+){2,}$/.test(host);

const exclusions: readonly Exclusion[] = [
  {
    problem: `must not lead to this machine, which the Worker cannot reach: it speaks to Neon over HTTP. ${ELSEWHERE}`,
    has: ({ host }, isOverridden) => isThisMachine(host) && !isOverridden,
  },
  {
    problem: "must name a host, not an IP address: Neon finds the database by the first label of the host",
    has: ({ host }) => isAddress(host),
  },
  {
    problem: `must name a host of Neon, such as ep-name-12345678.region.aws.neon.tech. ${ELSEWHERE}`,
    has: ({ host }, isOverridden) =>
      isOverridden
        ? !host.includes(".") && host !== "localhost"
        : !isPublicName(host) || SERVICES.test(host) || PRIVATE.test(host) || OTHER_PROVIDERS.test(host),
  },
  {
    problem: `must have the port ${DEFAULT_PORT} or none: Neon has no other`,
    has: ({ port }, isOverridden) => port !== DEFAULT_PORT && !isOverridden,
  },
];

export const neonHostProblems = exclusions.map(({ problem }) => problem);

/** Why the Worker cannot reach this place; undefined when it may. */
export function neonHostProblem(place: Place, isOverridden: boolean): string | undefined {
  return exclusions.find(({ has }) => has(place, isOverridden))?.problem;
}

/** Whether only Neon can have this host. Others belong to Neon, too, such as those that Vercel has given out. */
export const isNeonHost = (host: string) => /\.neon\.(?:tech|build)$/.test(host);

/**
 * A connection string for the Worker.
 * @param isOverridden NEON_ENDPOINT_OVERRIDE is set
 * @throws ConnectionStringError
 */
export function readNeonString(text: string, isOverridden: boolean): ConnectionString {
  const target = readConnectionString(text);
  passwordOf(target);
  const problem = neonHostProblem(target, isOverridden);
  if (problem !== undefined) throw new ConnectionStringError(problem);
  return target;
}
