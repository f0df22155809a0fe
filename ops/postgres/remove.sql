-- Takes away what npm run db:migrate has made, but for the table mcp_sessions and the sessions of other programs in it.
-- When no other program uses that table, add:  DROP TABLE mcp_sessions;
BEGIN;

-- With their triggers.
DROP FUNCTION IF EXISTS mcp_count_session_rows, mcp_count_cleanup_run CASCADE;
DROP PROCEDURE IF EXISTS mcp_cleanup_sessions, mcp_delete_in_batches;
DROP FUNCTION IF EXISTS mcp_add_to_total, mcp_answer_question, mcp_answer_task, mcp_append_events, mcp_ask_task,
  mcp_begin_cleanup_run, mcp_cancel_call, mcp_cancel_task, mcp_change_handle, mcp_choose_bulk, mcp_count_expired,
  mcp_count_handles, mcp_count_sessions, mcp_count_tasks, mcp_create_task, mcp_delete_oldest, mcp_delete_pages,
  mcp_delete_range, mcp_delete_sessions, mcp_end_cleanup_run, mcp_end_handle, mcp_end_task, mcp_find_due_tasks,
  mcp_find_expired, mcp_finish_task, mcp_fold_totals, mcp_make_handle, mcp_make_mark, mcp_may_be_kept,
  mcp_merge_session_changes, mcp_open_session, mcp_read_handle, mcp_recount_sessions, mcp_replay_stream,
  mcp_resume_session, mcp_sweep_handles, mcp_sweep_outlived, mcp_sweep_streams, mcp_sweep_tasks, mcp_take_task,
  mcp_tidy_cleanup, mcp_try_session;

DROP TABLE IF EXISTS mcp_cleanup_runs, mcp_cleanup_blocked, mcp_session_totals, mcp_session_changes, mcp_schema_journal,
  mcp_streams, mcp_stream_events, mcp_questions, mcp_marks, mcp_handles, mcp_tasks;

-- The sessions that were opened on /mcp, and the columns that only they use. The index of expires_at stays, because the
-- other program may have made it.
DELETE FROM mcp_sessions WHERE principal IS NOT NULL;
DROP INDEX IF EXISTS idx_mcp_sessions_by_owner, idx_mcp_sessions_by_handle;
ALTER TABLE mcp_sessions
  DROP COLUMN IF EXISTS principal,
  DROP COLUMN IF EXISTS protocol_version,
  DROP COLUMN IF EXISTS log_level,
  DROP COLUMN IF EXISTS state,
  DROP COLUMN IF EXISTS state_version,
  DROP COLUMN IF EXISTS state_versions,
  DROP COLUMN IF EXISTS state_writes,
  DROP COLUMN IF EXISTS ended_at,
  DROP COLUMN IF EXISTS end_reason,
  RESET (fillfactor);

COMMIT;
