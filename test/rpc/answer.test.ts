// What another Worker is told of a call that failed.
import { expect, test } from "vitest";
import { DatabaseFault } from "../../src/db/fault.ts";
import { AppError } from "../../src/http/errors.ts";
import { StateError } from "../../src/mcp/context.ts";
import { refusalOfError } from "../../src/rpc/answer.ts";

const faultOf = (kind: "timeout" | "permission_denied", sqlstate?: string) =>
  new DatabaseFault(
    "a test",
    {
      kind,
      retryable: false,
      outcomeUnknown: false,
      answered: true,
      ...(sqlstate !== undefined && { sqlstate }),
    },
    1,
  );

test("a failure that passes says when to come again, one that does not says null; both say why", () => {
  expect(refusalOfError(faultOf("timeout"))).toEqual({
    ok: false,
    code: "sessions_unavailable",
    message: expect.any(String),
    retryAfterSeconds: 5,
    fault: { kind: "timeout", sqlstate: null },
  });
  expect(refusalOfError(faultOf("permission_denied", "42501"))).toMatchObject({
    code: "sessions_unusable",
    retryAfterSeconds: null,
    fault: { kind: "permission_denied", sqlstate: "42501" },
  });
});

test("a refusal of ours has its code and no fault, and a mistake of ours is none", () => {
  expect(refusalOfError(new AppError("session_not_found"))).toMatchObject({
    ok: false,
    code: "session_not_found",
    retryAfterSeconds: null,
    fault: null,
  });
  expect(refusalOfError(new StateError("version_mismatch", "Another one"))).toEqual({
    ok: false,
    code: "version_mismatch",
    message: "Another one",
    retryAfterSeconds: null,
    fault: null,
  });
  expect(refusalOfError(new TypeError("x is undefined"))).toBeUndefined();
});
