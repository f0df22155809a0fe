// What an operator may see of a handle and of a task: never its id, its value, its call or its result. Pure.
import * as z from "zod";
import { taskStatuses } from "../tasks/task.ts";

/** As long as they can be. */
export const KIND_CHARACTERS = 64;
export const TOOL_CHARACTERS = 128;

// ISO 8601; a time outside the years 1 to 9999 is null.
const time = z.iso.datetime().nullable();
const count = z.int().min(0);

const kept = {
  key: z.string(),
  principal: z.string().describe("Whose it is"),
  issuer: z.string().optional().describe("When it is of the bearer of a token: as `iss` has it"),
  subject: z.string().optional().describe("When it is of the bearer of a token: as `sub` has it"),
  state: z.enum(["active", "expired"]),
  version: count,
  created_at: time.describe("When it was made (UTC)"),
  expires_at: time,
};

export const listedHandle = z.object({
  ...kept,
  handle: z.string(),
  kind: z.string(),
  is_ended: z.boolean(),
  value_bytes: count,
  sliding_seconds: count.nullable(),
  last_used_at: time,
});

export type ListedHandle = z.infer<typeof listedHandle>;

export const listedTask = z.object({
  ...kept,
  task: z.string(),
  tool: z.string(),
  status: z.enum(taskStatuses).describe("As MCP has it"),
  attempt: count,
  max_attempts: count,
  leased_until: time,
  call_bytes: count.nullable(),
  result_bytes: count.nullable(),
  updated_at: time,
});

export type ListedTask = z.infer<typeof listedTask>;
