-- Tasks: calls whose results their clients ask for later.
CREATE TABLE IF NOT EXISTS mcp_tasks (
  task_hash text PRIMARY KEY,
  owner text NOT NULL,
  tool text NOT NULL,
  status text NOT NULL DEFAULT 'working',
  call text,
  result text,
  input_requests text,
  input_keys text[],
  input_responses text[],
  request_state text,
  status_message text,
  lease text,
  leased_until timestamptz,
  attempt integer NOT NULL DEFAULT 0,
  max_attempts integer NOT NULL,
  on_lost text NOT NULL,
  poll_ms integer NOT NULL,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  CONSTRAINT mcp_tasks_status_check
    CHECK (status IN ('working', 'input_required', 'completed', 'cancelled', 'failed')),
  CONSTRAINT mcp_tasks_on_lost_check CHECK (on_lost IN ('retry', 'fail'))
);
