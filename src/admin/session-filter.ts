// Which sessions an operator means, as the parameters of the routes and the fields of the page say it.
import * as z from "zod";
import { nameOfBearer } from "../auth/principal.ts";
import { AppError } from "../http/errors.ts";
import { principalName } from "../auth/principal-name.ts";

export const handle = z
  .guid({ error: "must be a handle, as GET /sessions gives them" })
  .describe("Names a session, as `GET /sessions` gives it");

export const meantPrincipal = {
  principal: principalName.optional(),
  issuer: principalName
    .optional()
    .describe("With `subject`: who opened the session by a token. As `iss` has it"),
  subject: principalName.optional().describe("With `issuer`: as `sub` has it"),
};

export const stateOfSession = z
  .enum(["active", "expired"], { error: "must be active or expired" })
  .describe("Only sessions in this state");

export const nameInLogs = z
  .string()
  .regex(/^[0-9a-f]{8}$/, { error: "must be the 8 characters of a session in the log" })
  .describe("Only the session with this name in the logs. More than one only by a rare chance");

export const clientPart = z
  .string()
  // oxlint-disable-next-line no-control-regex -- PostgreSQL can keep none of them but NUL, and no name has them
  .regex(/^[^\u0000-\u001f\u007f-\u009f]{1,128}$/, {
    error: "must be 1 to 128 characters, without control characters",
  })
  .describe("Only sessions whose client has this in its name, in capital letters or not");

/** The name of the principal that is meant; undefined: all are. @throws AppError `invalid_request` */
export function principalIn({
  principal,
  issuer,
  subject,
}: {
  principal?: string | undefined;
  issuer?: string | undefined;
  subject?: string | undefined;
}): string | undefined {
  if (issuer === undefined && subject === undefined) return principal;
  if (principal !== undefined)
    throw new AppError("invalid_request", "The parameter principal must not stand beside issuer and subject");
  if (issuer === undefined || subject === undefined)
    throw new AppError("invalid_request", "The parameters issuer and subject must be given together");
  return nameOfBearer(issuer, subject);
}
