// Mutants of the TypeScript that no test can kill.
import { CLOCK, type Equivalent } from "./equivalent.ts";

const LATER_ITEMS = "Only what follows the first item is read.";
const BEYOND_THE_END = "Beyond the end there is a 0, which ends the reading in the same place.";
const EMPTY_WORDS = "What is empty between two separators is left out.";
const NOTHING = "Without it the function returns undefined, too.";
const ONCE = "A signal aborts once, and a promise is resolved once.";
const OLDER_HOURS = "Of older hours nothing is joined. Not to read them saves time, and nothing else.";
const SHORT_CUT = "What follows decides the same, and takes longer.";
const KEPT_KEY = "Nothing in here exports a key.";
const EMPTY = '[] → ["Stryker was here"]';
const bounds = { file: "src/http/json-bounds.ts" };

export const equivalentsOfSource: Equivalent[] = [
  {
    file: "src/session/cached-store.ts",
    line: "endings += 1;",
    reason: "It is only compared with what it was before: whether it has changed, not in which direction.",
  },
  {
    file: "src/page/csrf.ts",
    line: 'const [, issued = "", signature = ""] = TOKEN.exec(token) ?? [];',
    change: EMPTY,
    reason: LATER_ITEMS,
  },
  {
    file: "src/page/sign-ins.ts",
    line: 'const [, id = "", issued, name, signature = ""] = COOKIE.exec(c.req.header("Cookie") ?? "") ?? [];',
    change: EMPTY,
    reason: LATER_ITEMS,
  },
  {
    file: "src/db/connection-string.ts",
    line: 'const [, scheme = "", authority = "", path = "", query = ""] = PARTS.exec(given) ?? [];',
    change: EMPTY,
    reason: LATER_ITEMS,
  },
  {
    file: "src/streams/event-id.ts",
    line: 'const [, stream = "", request = "", code, event] = ID.exec(id) ?? [];',
    change: EMPTY,
    reason: LATER_ITEMS,
  },
  {
    file: "src/http/settings.ts",
    line: '.transform((value) => value.split(/[\\s,]+/).filter((origin) => origin !== ""))',
    change: "/[\\s,]+/ → /[\\s,]/",
    reason: EMPTY_WORDS,
  },
  {
    ...bounds,
    line: "for (let i = startOf(bytes); i < length; i++) {",
    change: "i < length → i <= length",
    reason: BEYOND_THE_END,
  },
  {
    ...bounds,
    line: "while (i < length && byteAt(bytes, i) <= SPACE) i += 1;",
    change: "i < length → i <= length",
    reason: BEYOND_THE_END,
  },
  {
    ...bounds,
    line: "while (i < length && byteAt(bytes, i) <= SPACE) i += 1;",
    change: "byteAt(bytes, i) <= SPACE → byteAt(bytes, i) < SPACE",
    reason: "What is left of the white space is skipped in the next round.",
  },
  {
    ...bounds,
    line: "for (; i < length; i++) {",
    change: "i < length → i <= length",
    reason: BEYOND_THE_END,
  },
  {
    ...bounds,
    line: "for (let i = start; i < length; i++) {",
    change: "i < length → i <= length",
    reason: BEYOND_THE_END,
  },
  {
    file: "src/server/handle-tools.ts",
    line: "let deleted = false;",
    reason: "The change of the values sets it before it is read, or throws.",
  },
  {
    file: "src/handles/store.ts",
    line: "WHERE owner = ${owner} AND expires_at > clock_timestamp() AND kind = coalesce(${kind ?? null}, kind)",
    change: "> → >=",
    reason: CLOCK,
  },
  {
    file: "src/admin/kept-store.ts",
    line: "nameInLogs !== undefined && sql`${hash} >= ${nameInLogs} AND ${hash} < ${`${nameInLogs}g`}`,",
    change: ">= → >",
    reason: "A key has 64 hex digits, so it is neither its first eight nor these and a g.",
  },
  {
    file: "src/admin/kept-store.ts",
    line: "nameInLogs !== undefined && sql`${hash} >= ${nameInLogs} AND ${hash} < ${`${nameInLogs}g`}`,",
    change: "< → <=",
    reason: "A key has 64 hex digits, so it is neither its first eight nor these and a g.",
  },
  {
    file: "src/admin/sessions-store.ts",
    line: "const isNamed = (name: string) => sql`session_id >= ${name} AND session_id < ${`${name}g`}",
    change: "session_id >= ${name} AND → nothing",
    reason: "The range is for the index. What follows asks for the same characters.",
  },
  {
    file: "src/admin/sessions-store.ts",
    line: "const isNamed = (name: string) => sql`session_id >= ${name} AND session_id < ${`${name}g`}",
    change: ">= → >",
    reason: "The range is for the index. What follows asks for the same characters.",
  },
  {
    file: "src/admin/sessions-store.ts",
    line: "const isNamed = (name: string) => sql`session_id >= ${name} AND session_id < ${`${name}g`}",
    change: "AND session_id < ${`${name}g`} → nothing",
    reason: "The range is for the index. What follows asks for the same characters.",
  },
  {
    file: "src/admin/sessions-store.ts",
    line: "const isNamed = (name: string) => sql`session_id >= ${name} AND session_id < ${`${name}g`}",
    change: "< → <=",
    reason: "The range is for the index. What follows asks for the same characters.",
  },
  {
    file: "src/admin/sessions-store.ts",
    line: "const isActive = sql`(expires_at IS NULL OR expires_at > now())`;",
    change: "> → >=",
    reason: "It says something else for one microsecond, which is gone before anybody can ask.",
  },
  {
    file: "src/admin/sessions-store.ts",
    line: "WHERE ${sessionHandle} = ${handle}::uuid LIMIT 1) AS found`,",
    change: "1 → 2",
    reason: "The handle of a session is its own.",
  },
  {
    file: "src/auth/jwt.ts",
    line: "} catch {",
    change: "{ return undefined; } → {}",
    reason: NOTHING,
  },
  {
    file: "src/auth/token-settings.ts",
    line: 'const words = (value: string) => value.split(/[\\s,]+/).filter((word) => word !== "");',
    change: "/[\\s,]+/ → /[\\s,]/",
    reason: EMPTY_WORDS,
  },
  {
    file: "src/auth/token-settings.ts",
    line: '.refine((list) => list.length > 0, { error: "must have an issuer", abort: true })',
    change: "true → false",
    reason: "An empty list breaks no other rule.",
  },
  {
    file: "src/auth/token-settings.ts",
    line: "const goTogether = (...values: unknown[]) => new Set(values.map((value) => value === undefined)).size === 1;",
    change: "value === undefined → value !== undefined",
    reason: "Only how many different answers there are counts.",
  },
  {
    file: "src/db/read-fault.ts",
    line: "const SERVER_ERROR = /^Server error \\(HTTP status (\\d{3})\\): (.*)$/s;",
    change:
      "/^Server error \\(HTTP status (\\d{3})\\): (.*)$/s → /^Server error \\(HTTP status (\\d{3})\\): (.*)/s",
    reason: "With this flag the dot takes all that follows.",
  },
  {
    file: "src/health/endpoint.ts",
    line: '...(write === "1" && failed !== undefined && { failed_step: failed }),',
    change: "failed !== undefined → true",
    reason: "JSON leaves out what is undefined.",
  },
  {
    file: "src/health/endpoint.ts",
    line: 'return time.toISOString().replace(/\\.\\d+Z$/, "Z");',
    change: "/\\.\\d+Z$/ → /\\.\\d+Z/",
    reason: "A time in this form has one point and one Z, at its end.",
  },
  {
    file: "src/health/store.ts",
    line: "AND r.run_id > coalesce((",
    change: "> → >=",
    reason:
      "The run of this number has completed, and only those that failed are counted. The first number is 1.",
  },
  {
    file: "src/http/body.ts",
    line: 'if (!raw.headers.has("Content-Length") || raw.headers.has("Transfer-Encoding")) {',
    change: '!raw.headers.has("Content-Length") || raw.headers.has("Transfer-Encoding") → true',
    reason: "Reading by chunks is slower, and nothing else.",
  },
  {
    file: "src/http/body.ts",
    line: 'const codings = raw.headers.get("Content-Encoding")?.split(",") ?? [];',
    change: EMPTY,
    reason: "No compression has this name.",
  },
  {
    file: "src/http/cors.ts",
    line: 'if (address === "") return false;',
    change: 'address === "" → false',
    reason: "What is no address has no protocol. Not to parse it saves time, and nothing else.",
  },
  {
    file: "src/http/cors.ts",
    line: "const always = allowing([]);",
    change: EMPTY,
    reason: "Only the answer to OPTIONS names the headers that may be sent, and that has a list of its own.",
  },
  {
    file: "src/http/settings.ts",
    line: "EXTENSION.test(value) || (/^https?:/.test(value) && URL.parse(value)?.origin === value);",
    change: "/^https?:/ → /https?:/",
    reason: "What is its own origin begins with its protocol, and has none in it.",
  },
  {
    file: "src/mcp/initialize.ts",
    line: 'const path = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));',
    change: EMPTY,
    reason: "Each mistake that these schemas find has a path.",
  },
  {
    file: "src/mcp/reentry.ts",
    line: "...(requestState !== undefined && { requestState }),",
    change: "requestState !== undefined → true",
    reason: "The SDK takes a member that is undefined for one that is left out.",
  },
  {
    file: "src/mcp/sdk-errors.ts",
    line: "} catch {",
    change: "{ return undefined; // A text of the author's that only looks like it. } → {}",
    reason: NOTHING,
  },
  {
    file: "src/mcp/streamed.ts",
    line: 'if (response.headers.get("Content-Type")?.startsWith("text/event-stream") !== true) {',
    change:
      'response.headers.get("Content-Type")?.startsWith("text/event-stream") → response.headers.get("Content-Type")?.endsWith("text/event-stream")',
    reason: "The SDK sends this type without parameters.",
  },
  {
    file: "src/mcp/task-run.ts",
    line: 'signal.addEventListener("abort", () => resolve(undefined), { once: true }),',
    change: "{ once: true } → {}",
    reason: ONCE,
  },
  {
    file: "src/mcp/task-run.ts",
    line: 'signal.addEventListener("abort", () => resolve(undefined), { once: true }),',
    change: "true → false",
    reason: ONCE,
  },
  {
    file: "src/page/csrf.ts",
    line: 'if (signature === "" || seconds() - Number(issued) >= LIFE_SECONDS) return false;',
    change: 'signature === "" → false',
    reason: "A token without a signature has no time either, so it is too old.",
  },
  {
    file: "src/page/elements.ts",
    line: "const all = Array.from(text.slice(0, 2 * characters + 2));",
    change: "text.slice(0, 2 * characters + 2) → text",
    reason: "What is cut off here is never shown. Not to look at it saves time, and nothing else.",
  },
  {
    file: "src/page/history-store.ts",
    line: "FROM mcp_session_totals WHERE shard / 16 >= (SELECT first FROM bounds) GROUP BY 1",
    change: "shard / 16 >= (SELECT first FROM bounds) → true",
    reason: OLDER_HOURS,
  },
  {
    file: "src/page/history-store.ts",
    line: "WHERE started_at >= (SELECT to_timestamp(first * 3600) FROM bounds) AND outcome <> 'skipped'",
    change: "started_at >= (SELECT to_timestamp(first * 3600) FROM bounds) AND → nothing",
    reason: OLDER_HOURS,
  },
  {
    file: "src/page/history-store.ts",
    line: "WHERE started_at >= (SELECT to_timestamp(first * 3600) FROM bounds) AND outcome <> 'skipped'",
    change: "3600 → 0",
    reason: OLDER_HOURS,
  },
  {
    file: "src/page/overview-store.ts",
    line: "WHERE t.name <> 'sessions_expired' AND t.shard / 16 >= (SELECT min(hour) FROM hours)",
    change: "AND t.shard / 16 >= (SELECT min(hour) FROM hours) → nothing",
    reason: OLDER_HOURS,
  },
  {
    file: "src/page/refusal.ts",
    line: 'if (challenge !== undefined && c.req.header("Authorization") !== undefined)',
    change: "challenge !== undefined → true",
    reason: "A header of no value is not set.",
  },
  {
    file: "src/tasks/store.ts",
    line: "coalesce(status = 'working' AND leased_until <= clock_timestamp(), false) AS is_due",
    change: "<= → <",
    reason: CLOCK,
  },
  {
    file: "src/tasks/store.ts",
    line: "FROM mcp_tasks WHERE task_hash = ${key} AND owner = ${owner} AND expires_at > clock_timestamp()`,",
    change: "> → >=",
    reason: CLOCK,
  },
  {
    file: "src/tasks/store.ts",
    line: "WHERE task_hash = ${key} AND lease = ${claim} AND status = 'working' AND expires_at > clock_timestamp()",
    change: "> → >=",
    reason: CLOCK,
  },
  {
    file: "src/session/cached-store.ts",
    line: "if (keys?.size === 0) owned.delete(principal);",
    change: "keys?.size === 0 → false",
    reason: "The set without keys takes memory, and nothing else can be seen of it.",
  },
  {
    file: "src/session/cached-store.ts",
    line: "const keys = [...(owned.get(principal) ?? [])].filter((key) => key !== exceptKey);",
    change: EMPTY,
    reason: "No session has this key.",
  },
  {
    file: "src/session/conditions.ts",
    line: "return sql`ended_at IS NULL AND expires_at > clock_timestamp()",
    change: "> → >=",
    reason: CLOCK,
  },
  {
    file: "src/session/messages.ts",
    line: "return id.length <= 2 * MAX_ID_CHARACTERS && Array.from(id).length <= MAX_ID_CHARACTERS;",
    change: "id.length <= 2 * MAX_ID_CHARACTERS → true",
    reason: SHORT_CUT,
  },
  {
    file: "src/session/middleware.ts",
    line: 'if (json.quality !== stream.quality) return json.quality > stream.quality ? "json" : "stream";',
    change: "json.quality > stream.quality → json.quality >= stream.quality",
    reason: "Two of the same quality do not come here.",
  },
  {
    file: "src/session/middleware.ts",
    line: "} catch {",
    change:
      "{ return undefined; // Not JSON-RPC: the handler's answer is passed on, and no session is opened. } → {}",
    reason: NOTHING,
  },
  {
    file: "src/session/state-store.ts",
    line: "coalesce(${versionOf(key)}, 0) AS version`;",
    change: "0 → 1",
    reason: "The version is never NULL.",
  },
  {
    file: "src/session/store.ts",
    line: "if (text.length <= LISTED_CHARACTERS) return text;",
    change: "text.length <= LISTED_CHARACTERS → false",
    reason: SHORT_CUT,
  },
  {
    file: "src/session/store.ts",
    line: "if (text.length <= LISTED_CHARACTERS) return text;",
    change: "text.length <= LISTED_CHARACTERS → text.length < LISTED_CHARACTERS",
    reason: SHORT_CUT,
  },
  {
    file: "src/streams/event-id.ts",
    line: 'const key = await crypto.subtle.importKey("raw", bytesOf(sessionId), algorithm, false, ["sign"]);',
    change: "false → true",
    reason: KEPT_KEY,
  },
  {
    file: "src/streams/questions.ts",
    line: "default:",
    change: "default: return undefined; → default:",
    reason: NOTHING,
  },
  {
    file: "src/streams/questions.ts",
    line: 'if (name === "elicitation" && part === "form") return "form" in declared || !("url" in declared);',
    change: 'name === "elicitation" → true',
    reason: "No other capability has a part of this name.",
  },
  {
    file: "src/streams/recorder.ts",
    line: "const isAllStored = !this.#isStoring || (this.#pending.length === 0 && !this.#isBusy);",
    change: "this.#pending.length === 0 → true",
    reason: "While it stores and is not busy, nothing is pending.",
  },
  {
    file: "src/streams/recorder.ts",
    line: "if (this.#isStoring && !this.#isBusy && this.#pending.length > 0) void this.#storeAll();",
    change: "this.#pending.length > 0 → true",
    reason: "To store nothing is a loop of no rounds.",
  },
  {
    file: "src/streams/recorder.ts",
    line: "if (this.#isStoring && !this.#isBusy && this.#pending.length > 0) void this.#storeAll();",
    change: "this.#pending.length > 0 → this.#pending.length >= 0",
    reason: "To store nothing is a loop of no rounds.",
  },
  {
    file: "src/streams/recorder.ts",
    line: "const isWithin = (bytes: number, text: string) => text.length * 4 <= bytes || sentBytes(text) <= bytes;",
    change: "text.length * 4 <= bytes → false",
    reason: SHORT_CUT,
  },
  {
    file: "src/streams/recorder.ts",
    line: "const isWithin = (bytes: number, text: string) => text.length * 4 <= bytes || sentBytes(text) <= bytes;",
    change: "text.length * 4 <= bytes → text.length * 4 < bytes",
    reason: SHORT_CUT,
  },
  {
    file: "src/streams/sealed.ts",
    line: 'key: await crypto.subtle.importKey("raw", raw, AES, false, ["encrypt", "decrypt"]),',
    change: "false → true",
    reason: KEPT_KEY,
  },
  {
    file: "src/streams/sealed.ts",
    line: "return bytes.length > ID_BYTES + IV_BYTES ? bytes : undefined;",
    change: "bytes.length > ID_BYTES + IV_BYTES → true",
    reason: "What is shorter names no key, or cannot be opened. Not to try it saves time, and nothing else.",
  },
  {
    file: "src/streams/sealed.ts",
    line: "return bytes.length > ID_BYTES + IV_BYTES ? bytes : undefined;",
    change: "bytes.length > ID_BYTES + IV_BYTES → bytes.length >= ID_BYTES + IV_BYTES",
    reason: "What is shorter names no key, or cannot be opened. Not to try it saves time, and nothing else.",
  },
  {
    file: "src/streams/sealed.ts",
    line: "return bytes.length > ID_BYTES + IV_BYTES ? bytes : undefined;",
    change: "ID_BYTES + IV_BYTES → ID_BYTES - IV_BYTES",
    reason: "What is shorter names no key, or cannot be opened. Not to try it saves time, and nothing else.",
  },
  {
    file: "src/streams/sealed.ts",
    line: "} catch {",
    change: "{ return undefined; } → {}",
    reason: NOTHING,
  },
  {
    file: "src/streams/settings.ts",
    line: '.transform((value) => value.split(/[\\s,]+/).filter((key) => key !== ""))',
    change: "/[\\s,]+/ → /[\\s,]/",
    reason: EMPTY_WORDS,
  },
  {
    file: "src/auth/api-keys.ts",
    line: 'const entries = text.split(/[\\s,]+/).filter((entry) => entry !== "");',
    change: "/[\\s,]+/ → /[\\s,]/",
    reason: EMPTY_WORDS,
  },
  {
    file: "src/auth/scope-map.ts",
    line: 'const entries = value.split(/[\\s,]+/).filter((entry) => entry !== "");',
    change: "/[\\s,]+/ → /[\\s,]/",
    reason: EMPTY_WORDS,
  },
  {
    file: "src/auth/scope-map.ts",
    line: "theirs.flatMap((scope): readonly string[] => (map ? (map.get(scope) ?? []) : [scope])),",
    change: EMPTY,
    reason: "Of what is found, only our scopes are given.",
  },
  {
    file: "src/auth/principal-name.ts",
    line: ".refine((name) => name.length <= 1024 && Array.from(name).length <= 512, {",
    change: "name.length <= 1024 → true",
    reason: SHORT_CUT,
  },
  {
    file: "src/auth/principal.ts",
    line: "} catch {",
    change: "{ return undefined; } → {}",
    reason: NOTHING,
  },
  {
    file: "src/log.ts",
    line: '{ category: ["logtape", "meta"], lowestLevel: "error", sinks: ["console"] },',
    change: '["console"] → []',
    reason:
      "Of errors it is only told that a sink has failed, which the sink itself is not. There is one sink.",
  },
  {
    file: "src/env.ts",
    line: "roomValues.safeParse({});",
    reason: "It only moves work from the first request to the start.",
  },
  {
    file: "src/cleanup/idle-sleep.ts",
    line: "return true;",
    reason: "It is only asked whether there is a value.",
  },
];
