// Made-up sessions of mixed ages: half live, a quarter just expired, a quarter expired for hours.
import type { ClientBase } from "pg";
import { DEFAULT_TTL_SECONDS } from "../src/session/settings.ts";

/** How many sessions of each age. */
export interface SessionAges {
  live: number;
  justExpired: number;
  longExpired: number;
}

// One statement and one transaction each; large enough to be fast, small enough to show progress.
const CHUNK = 50_000;

// Ages keep 10 minutes away from where they would change, so that what was inserted as just expired still is while
// one looks at it. Three UUIDs hold 366 random bits, of which the
// hash keeps 256.
const INSERT = `
  WITH made AS MATERIALIZED (
    SELECT i,
           random() AS a_part,
           now() + CASE i % 4
             WHEN 2 THEN random() * interval '-50 minutes'
             WHEN 0 THEN interval '-1 hour' + random() * interval '-47 hours'
             ELSE interval '10 minutes' + random() * (ttl - interval '10 minutes')
           END AS expires_at
      FROM generate_series($1::bigint, $2::bigint) AS i, make_interval(secs => $3::int) AS ttl
  ), inserted AS (
    INSERT INTO mcp_sessions (session_id, created_at, last_active, expires_at, capabilities, client_info)
    SELECT encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'),
           expires_at - make_interval(secs => $3::int) - a_part * interval '6 hours',
           expires_at - make_interval(secs => $3::int),
           expires_at,
           jsonb_build_object(
             'roots', jsonb_build_object('listChanged', true),
             'sampling', jsonb_build_object('tools', jsonb_build_object()),
             'elicitation', jsonb_build_object('form', jsonb_build_object(), 'url', jsonb_build_object())),
           jsonb_build_object(
             'name', (ARRAY['example-desktop', 'example-editor', 'example-agent'])[i % 3 + 1],
             'title', (ARRAY['Example Desktop', 'Example Editor', 'Example Agent'])[i % 3 + 1],
             'version', format('1.%s.%s', i % 20, i % 7),
             'websiteUrl', 'https://client.example.com/docs/model-context-protocol')
      FROM made
    RETURNING expires_at
  )
  SELECT count(*) FILTER (WHERE expires_at > now())::int AS "live",
         count(*) FILTER (WHERE expires_at <= now() AND expires_at > now() - interval '1 hour')::int AS "justExpired",
         count(*) FILTER (WHERE expires_at <= now() - interval '1 hour')::int AS "longExpired"
    FROM inserted`;

/** Inserts `count` sessions, telling `progress` after each chunk how many there are. */
export async function insertSessions(
  client: ClientBase,
  count: number,
  progress: (inserted: number) => void,
): Promise<SessionAges> {
  const total: SessionAges = { live: 0, justExpired: 0, longExpired: 0 };
  for (let first = 1; first <= count; first += CHUNK) {
    const last = Math.min(first + CHUNK - 1, count);
    const { rows } = await client.query<SessionAges>(INSERT, [first, last, DEFAULT_TTL_SECONDS]);
    for (const ages of rows) {
      total.live += ages.live;
      total.justExpired += ages.justExpired;
      total.longExpired += ages.longExpired;
    }
    progress(last);
  }
  return total;
}
