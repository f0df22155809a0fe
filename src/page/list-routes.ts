// The routes of the lists and of the history.
import type { Hono } from "hono";
import * as z from "zod";
import { handlesFilter, tasksFilter } from "../admin/kept-filter.ts";
import type { HandlesStore, TasksStore } from "../admin/kept-store.ts";
import type { RunsStore } from "../admin/runs-store.ts";
import type { SessionsStore } from "../admin/sessions-store.ts";
import type { CleanupStore } from "../cleanup/store.ts";
import type { ReadForm } from "./form.ts";
import type { createPageGuard, PageVariables } from "./guard.ts";
import { handleWords } from "./handle-words.ts";
import { historyEndpoint } from "./history-endpoint.ts";
import type { HistoryStore } from "./history-store.ts";
import { keptPages } from "./kept-endpoint.ts";
import { runsPages } from "./runs-endpoint.ts";
import { sessionsPages } from "./sessions-endpoint.ts";
import { taskWords } from "./task-words.ts";

export interface ListDeps {
  history: HistoryStore;
  /** Runs of at most `budgetMs`. */
  cleanups: CleanupStore;
  budgetMs: number;
}

export interface ListRoutesOptions {
  lists: ListDeps;
  allSessions: SessionsStore;
  allHandles: HandlesStore | undefined;
  allTasks: TasksStore | undefined;
  runs: RunsStore;
  viewerGuard: ReturnType<typeof createPageGuard>;
  readForm: ReadForm;
  now: () => Date;
}

export function addListRoutes(
  app: Hono<{ Variables: PageVariables }>,
  { lists, allSessions, allHandles, allTasks, runs, viewerGuard, readForm, now }: ListRoutesOptions,
): void {
  app.get("/admin/history", viewerGuard("health"), historyEndpoint({ store: lists.history }));

  const isAdmin = viewerGuard("admin");
  const sessions = sessionsPages({ store: allSessions, readForm });
  app.get("/admin/sessions", isAdmin, sessions.list);
  app.get("/admin/sessions/end", isAdmin, sessions.askToEndAll);
  app.post("/admin/sessions/end", isAdmin, sessions.endAll);
  app.get("/admin/sessions/:handle", isAdmin, sessions.one);
  app.get("/admin/sessions/:handle/end", isAdmin, sessions.askToEnd);
  app.post("/admin/sessions/:handle/end", isAdmin, sessions.end);

  const addKept = (path: string, kept: ReturnType<typeof keptPages>) => {
    app.get(path, isAdmin, kept.list);
    app.get(`${path}/:key`, isAdmin, kept.one);
    app.get(`${path}/:key/end`, isAdmin, kept.askToEnd);
    app.post(`${path}/:key/end`, isAdmin, kept.end);
  };
  if (allHandles !== undefined) {
    const query = z.object(handlesFilter);
    const [what, words, store] = ["handle", handleWords, allHandles] as const;
    addKept(words.path, keptPages({ what, words, query, store, readForm }));
  }
  if (allTasks !== undefined) {
    const query = z.object(tasksFilter);
    const [what, words, store] = ["task", taskWords, allTasks] as const;
    addKept(words.path, keptPages({ what, words, query, store, readForm }));
  }

  const pages = runsPages({ ...lists, runs, readForm, now });
  app.get("/admin/runs", isAdmin, pages.list);
  app.get("/admin/runs/:run{[0-9]+}", isAdmin, pages.one);
  app.get("/admin/runs/:tier", isAdmin, pages.ask);
  app.post("/admin/runs/:tier", isAdmin, pages.start);
}
