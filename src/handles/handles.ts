// The contract of handles with authors: what a tool keeps for a principal, and how it is found again. Pure.
import type { Json } from "../mcp/context.ts";

/** Why a handle was refused. The error's message may be shown to the client. */
export type HandleErrorCode =
  /** There is no such handle: it has never been, has expired, was ended, or is somebody else's. */
  | "unknown_handle"
  /** JSON, or PostgreSQL, cannot keep the value as it was given. */
  | "not_storable"
  /** The value is longer than MCP_HANDLE_LIMIT_BYTES. */
  | "too_large"
  /** Somebody else has changed the value since `ifVersion` was read. */
  | "version_mismatch";

export class HandleError extends Error {
  override name = "HandleError";
  readonly code: HandleErrorCode;

  constructor(code: HandleErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a handle holds. */
export interface HandleEntry {
  /** The word that it was made with. */
  kind: string;
  value: Json;
  /** 1, and one more with each change. */
  version: number;
  expiresAt: Date;
}

/** What a principal may see of its handles. Their ids are not known to anybody but who was given them. */
export interface HandleSummary {
  kind: string;
  version: number;
  createdAt: Date;
  /** The last use, to a minute. */
  lastUsedAt: Date;
  expiresAt: Date;
}

export interface HandleOptions {
  /** How long the handle lives, in whole seconds. Left out: MCP_HANDLE_TTL_SECONDS. */
  ttlSeconds?: number | undefined;
  /** Whether each use begins that time again. Left out: it expires at the time that is set when it is made. */
  sliding?: boolean | undefined;
}

/**
 * Values that outlive a request without a session: JSON, at most 16 KiB each. A tool hands the id of a handle out, and gets it back as
 * an argument. It is good for the principal that made it, and for nobody else.
 * Every method @throws DatabaseFault when the database fails.
 */
export interface Handles {
  /**
   * Keeps a value. A principal that has too many loses the one that it has used least recently.
   * @param kind your word for what it is, such as `cart`: 1 to 64 characters.
   * @returns the id of the handle, for the client. It cannot be found out again.
   * @throws HandleError `not_storable`, `too_large`
   */
  make(
    kind: string,
    value: Json,
    options?: HandleOptions,
  ): Promise<{ handle: string; version: number; expiresAt: Date }>;
  /** Undefined: there is no such handle. */
  read(handle: string): Promise<HandleEntry | undefined>;
  /** @param options.ifVersion change it only if it has this version. Left out: in any case. @throws HandleError */
  change(
    handle: string,
    value: Json,
    options?: { ifVersion?: number | undefined },
  ): Promise<{ version: number; expiresAt: Date }>;
  /**
   * Changes a value atomically: reads it, calls `change` and writes the result if nobody has changed it meanwhile. Otherwise it
   * begins again with the new value, 100 times at most. `change` must have no side effects.
   * @throws HandleError
   */
  update(handle: string, change: (current: HandleEntry) => Json): Promise<HandleEntry>;
  /** Ends a handle: what it holds is gone. False: there is no such handle. */
  end(handle: string): Promise<boolean>;
  /** The handles of the principal, the last used first, at most 100. */
  list(options?: { kind?: string | undefined }): Promise<HandleSummary[]>;
}
