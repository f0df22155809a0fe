// What the Worker's role must be allowed. ops/postgres/worker-role.sql grants exactly this, and a test holds the two together.

/** The rights on each table. */
export const tableRights = {
  mcp_sessions: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_cleanup_runs: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_cleanup_blocked: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_session_totals: ["SELECT", "INSERT", "UPDATE"],
  mcp_session_changes: ["SELECT"],
  mcp_streams: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_stream_events: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_questions: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_marks: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_handles: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  mcp_tasks: ["SELECT", "INSERT", "UPDATE", "DELETE"],
} as const satisfies Record<string, readonly string[]>;

/** The functions and procedures that it must be allowed to execute. */
export const routineRights = [
  "mcp_add_to_total",
  "mcp_answer_question",
  "mcp_answer_task",
  "mcp_append_events",
  "mcp_ask_task",
  "mcp_begin_cleanup_run",
  "mcp_cancel_call",
  "mcp_cancel_task",
  "mcp_change_handle",
  "mcp_choose_bulk",
  "mcp_cleanup_sessions",
  "mcp_count_expired",
  "mcp_count_sessions",
  "mcp_create_task",
  "mcp_delete_in_batches",
  "mcp_delete_oldest",
  "mcp_delete_pages",
  "mcp_delete_range",
  "mcp_delete_sessions",
  "mcp_end_cleanup_run",
  "mcp_end_handle",
  "mcp_end_task",
  "mcp_find_due_tasks",
  "mcp_find_expired",
  "mcp_finish_task",
  "mcp_fold_totals",
  "mcp_make_handle",
  "mcp_make_mark",
  "mcp_may_be_kept",
  "mcp_merge_session_changes",
  "mcp_open_session",
  "mcp_read_handle",
  "mcp_recount_sessions",
  "mcp_replay_stream",
  "mcp_resume_session",
  "mcp_sweep_handles",
  "mcp_sweep_outlived",
  "mcp_sweep_streams",
  "mcp_sweep_tasks",
  "mcp_take_task",
  "mcp_tidy_cleanup",
  "mcp_try_session",
] as const;

/**
 * Those that the version before does not have, and that only other routines call, or what is switched on by a variable. Without them
 * this one works, too, so a health check does not ask for them.
 */
export const newRoutines: readonly (typeof routineRights)[number][] = [
  "mcp_answer_question",
  "mcp_answer_task",
  "mcp_append_events",
  "mcp_ask_task",
  "mcp_cancel_call",
  "mcp_cancel_task",
  "mcp_change_handle",
  "mcp_count_expired",
  "mcp_create_task",
  "mcp_end_handle",
  "mcp_end_task",
  "mcp_find_due_tasks",
  "mcp_finish_task",
  "mcp_fold_totals",
  "mcp_make_handle",
  "mcp_make_mark",
  "mcp_read_handle",
  "mcp_replay_stream",
  "mcp_sweep_handles",
  "mcp_sweep_outlived",
  "mcp_sweep_streams",
  "mcp_sweep_tasks",
  "mcp_take_task",
];

/** The same of tables. */
export const newTables: readonly (keyof typeof tableRights)[] = [
  "mcp_streams",
  "mcp_stream_events",
  "mcp_questions",
  "mcp_marks",
  "mcp_handles",
  "mcp_tasks",
];
