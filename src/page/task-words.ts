// How a task is written on the pages. Pure.
import { type ListedTask, TOOL_CHARACTERS } from "../admin/listed-kept.ts";
import { taskStatuses } from "../tasks/task.ts";
import { badge, count, type Html, soft, time, untrusted } from "./elements.ts";
import { bytes, type KeptWords, stateBadge } from "./kept-page.ts";
import { choice, textField } from "./list.ts";

const kinds: Record<ListedTask["status"], "good" | "warning" | "bad" | "plain"> = {
  working: "good",
  input_required: "warning",
  completed: "plain",
  cancelled: "plain",
  failed: "bad",
};

const isAlive = ({ status }: ListedTask) => status === "working" || status === "input_required";

const statusOf = ({ status }: ListedTask): Html => badge(status.replace("_", " "), kinds[status]);

export const taskWords: KeptWords<ListedTask> = {
  noun: "task",
  verb: "Cancel",
  done: "cancelled",
  title: "Tasks",
  path: "/admin/tasks",
  fields: (value) => [
    choice({ name: "status", label: "Status", value: value("status") }, taskStatuses),
    textField({ name: "tool", label: "Tool", value: value("tool") }, TOOL_CHARACTERS),
  ],
  columns: [
    { label: "Tool", cell: ({ tool }) => untrusted(tool) },
    { label: "Status", cell: statusOf },
    { label: "Last change", cell: ({ updated_at: updated }) => time(updated) },
  ],
  more: (task) => [
    ["State", stateBadge(task)],
    ["Begun", `${count(task.attempt)} of ${count(task.max_attempts)} times`],
    ["Run until", task.leased_until === null ? soft("nobody runs it") : time(task.leased_until)],
    ["Its call", bytes(task.call_bytes, "nothing is kept")],
    ["Its result", bytes(task.result_bytes, "none yet")],
  ],
  isEndable: (task) => task.state === "active" && isAlive(task),
  afterwards:
    "Its client is told that it was cancelled. Its runner hears of that within seconds; what it has done by then stays done. Nothing brings it back.",
};
