-- The rights of a role that only runs the Worker. It owns nothing, and cannot migrate.
--
-- 1. Make the role once:  CREATE ROLE mcp_worker LOGIN PASSWORD '…';
-- 2. Run this file in the database as the owner of the tables, after the first npm run db:migrate. Twice does no harm.
-- 3. Give the Worker a DATABASE_URL of this role. Keep the owner's for npm run db:migrate.
GRANT USAGE ON SCHEMA public TO mcp_worker;

-- Sessions and their documents. Cleanup deletes them.
GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_sessions TO mcp_worker;

-- Records of cleanup runs. Old ones are deleted.
GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_cleanup_runs TO mcp_worker;

-- Which sessions cannot be deleted.
GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_cleanup_blocked TO mcp_worker;

-- Totals for /metrics. They only grow.
GRANT SELECT, INSERT, UPDATE ON mcp_session_totals TO mcp_worker;

-- The number of sessions. Triggers write it with the rights of the owner.
GRANT SELECT ON mcp_session_changes TO mcp_worker;

-- Streams, their events, questions to clients, marks that are made once, handles, and tasks. UPDATE lets cleanup lock rows.
GRANT SELECT, INSERT, UPDATE, DELETE
  ON mcp_streams, mcp_stream_events, mcp_questions, mcp_marks, mcp_handles, mcp_tasks TO mcp_worker;

-- PostgreSQL lets every role execute a new function. These lines are for databases where that was revoked.
GRANT EXECUTE ON FUNCTION mcp_add_to_total, mcp_answer_question, mcp_answer_task, mcp_append_events, mcp_ask_task,
  mcp_begin_cleanup_run, mcp_cancel_call, mcp_cancel_task, mcp_change_handle, mcp_choose_bulk, mcp_count_expired,
  mcp_count_handles, mcp_count_sessions, mcp_count_tasks, mcp_create_task, mcp_delete_oldest, mcp_delete_pages,
  mcp_delete_range, mcp_delete_sessions, mcp_end_cleanup_run, mcp_end_handle, mcp_end_task, mcp_find_due_tasks,
  mcp_find_expired, mcp_finish_task, mcp_fold_totals, mcp_make_handle, mcp_make_mark, mcp_may_be_kept,
  mcp_merge_session_changes, mcp_open_session, mcp_read_handle, mcp_recount_sessions, mcp_replay_stream,
  mcp_resume_session, mcp_sweep_handles, mcp_sweep_outlived, mcp_sweep_streams, mcp_sweep_tasks, mcp_take_task,
  mcp_tidy_cleanup, mcp_try_session TO mcp_worker;
GRANT EXECUTE ON PROCEDURE mcp_cleanup_sessions, mcp_delete_in_batches TO mcp_worker;
