// What is measured of handles and tasks, where they are switched on. Pure.
import type { Census } from "../health/grade.ts";
import { endReasons } from "../session/session.ts";
import { counter, each, type Family, gauge, single, times } from "./family.ts";

export function keptFamilies({ kept: { handles, tasks } = {}, totals }: Census): Family[] {
  const sum = (name: string) => totals[name] ?? 0;
  return [
    ...(handles === undefined
      ? []
      : [
          gauge(
            "mcp_handles",
            "Handles in the table, with MCP_HANDLES",
            each("state", ["active", "expired"], (state) => handles[state]),
          ),
          counter("mcp_handles_made_total", "Handles made by tools", single(sum("handles_made"))),
          counter(
            "mcp_handles_ended_total",
            "Handles ended before they expired",
            each("reason", endReasons, (reason) => sum(`handles_ended/${reason}`)),
          ),
          counter(
            "mcp_handles_expired_total",
            "Handles that expired without being ended; cleanup counts them",
            single(sum("handles_expired")),
          ),
          gauge(
            "mcp_handles_backlog_oldest_timestamp_seconds",
            "When the first of the expired handles expired, in seconds since 1970; absent when there is none",
            times([{ labels: {}, at: dateOf(handles.oldest_expired_at) }]),
          ),
        ]),
    ...(tasks === undefined
      ? []
      : [
          gauge(
            "mcp_tasks",
            "Tasks in the table, with MCP_TASKS",
            each("state", ["working", "input_required", "ended", "expired"], (state) => tasks[state]),
          ),
          gauge("mcp_tasks_due", "Tasks that wait to be run", single(tasks.due)),
          gauge(
            "mcp_tasks_due_oldest_timestamp_seconds",
            "Since when the first of the tasks that wait to be run has waited, in seconds since 1970; absent when there is none",
            times([{ labels: {}, at: dateOf(tasks.oldest_due_at) }]),
          ),
          counter("mcp_tasks_created_total", "Tasks created by tools", single(sum("tasks_created"))),
          counter(
            "mcp_tasks_ended_total",
            "Tasks that have ended, by the status in which they did",
            each("state", ["completed", "cancelled", "failed"], (state) => sum(`tasks_ended/${state}`)),
          ),
          counter(
            "mcp_tasks_expired_total",
            "Tasks deleted when they had expired, ended or not",
            single(sum("tasks_expired")),
          ),
          gauge(
            "mcp_tasks_backlog_oldest_timestamp_seconds",
            "When the first of the expired tasks expired, in seconds since 1970; absent when there is none",
            times([{ labels: {}, at: dateOf(tasks.oldest_expired_at) }]),
          ),
        ]),
  ];
}

const dateOf = (time: string | null) => (time === null ? null : new Date(time));
