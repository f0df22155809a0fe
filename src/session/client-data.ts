// What a client says of itself in `initialize`, clientInfo and capabilities: how much of it can be kept. Pure.
import { AppError } from "../http/errors.ts";
import { utf8Bytes } from "./json.ts";
import { isStorable, type Session } from "./session.ts";

export type ClientData = Pick<Session, "clientInfo" | "capabilities">;

/** The default of MCP_CLIENT_DATA_MAX_BYTES. Clients say a few hundred bytes; icons and extensions may be some thousand. */
export const CLIENT_DATA_BYTES = 16_384;

/** How deep each of the two may be nested. The object itself is the first level. */
export const CLIENT_DATA_DEPTH = 64;

/**
 * @param maxBytes of both as JSON in UTF-8, without white space.
 * @throws AppError `invalid_request` for what is too long, too deep, or no text for PostgreSQL.
 */
export function checkClientData({ clientInfo, capabilities }: ClientData, maxBytes: number): void {
  const bytes = utf8Bytes(JSON.stringify(clientInfo)) + utf8Bytes(JSON.stringify(capabilities));
  if (bytes > maxBytes) {
    throw new AppError(
      "invalid_request",
      `clientInfo and capabilities must have ${maxBytes} bytes of JSON at most, both together`,
    );
  }
  if ([clientInfo, capabilities].some((data) => isDeeperThan(CLIENT_DATA_DEPTH, data))) {
    throw new AppError(
      "invalid_request",
      `clientInfo and capabilities must be nested ${CLIENT_DATA_DEPTH} levels deep at most`,
    );
  }
  if (!isStorable([clientInfo, capabilities])) {
    throw new AppError(
      "invalid_request",
      "The parameters of initialize must not contain NUL or an unpaired surrogate",
    );
  }
}

/** The recursion ends: a body is not deeper than BODY_DEPTH. */
function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member));
}
