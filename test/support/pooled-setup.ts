// Node's side of the tests in workerd, with PgBouncer between the local Neon and PostgreSQL.
import type { TestProject } from "vitest/node";
import { setUpWith } from "./global-setup.ts";
import { startPooler } from "./pooler.ts";

export default (project: TestProject) => setUpWith(project, startPooler);
