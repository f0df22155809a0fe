// The pages of operators: every route below /admin, and the one page at /. All of it is off without ADMIN_PAGE.
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import type { HandlesStore, TasksStore } from "../admin/kept-store.ts";
import type { RunsStore } from "../admin/runs-store.ts";
import type { SessionsStore } from "../admin/sessions-store.ts";
import type { Limits } from "../health/grade.ts";
import { assetEndpoint } from "./assets-endpoint.ts";
import type { Setup } from "./configuration.ts";
import type { Csrf } from "./csrf.ts";
import { connectEndpoint, homeEndpoint, overviewEndpoint, type ServerFacts } from "./endpoint.ts";
import { createReadForm } from "./form.ts";
import { createPageGuard, type PageGuardOptions, type PageVariables } from "./guard.ts";
import type { KnownOverview } from "./known-overview.ts";
import { assets } from "./layout.ts";
import { addListRoutes, type ListDeps } from "./list-routes.ts";
import { signInEndpoint } from "./sign-in-endpoint.ts";
import type { HearsWrongKey } from "./sign-in-limit.ts";
import type { SignIns } from "./sign-ins.ts";

export interface PageDeps {
  signIns: SignIns;
  csrf: Csrf;
  hearsWrongKey: HearsWrongKey;
  lists: ListDeps;
  known: KnownOverview;
  setup: Setup;
}

interface PageRoutesOptions {
  page: PageDeps;
  guardOf: PageGuardOptions["guardOf"];
  server: ServerFacts;
  healthLimits: Limits;
  healthMaxAgeSeconds: number;
  allSessions: SessionsStore;
  allHandles: HandlesStore | undefined;
  allTasks: TasksStore | undefined;
  runs: RunsStore;
  now: () => Date;
}

export function pageRoutes({ page, guardOf, server, now, ...stores }: PageRoutesOptions) {
  const app = new Hono<{ Variables: PageVariables }>({ strict: false });
  const viewerGuard = createPageGuard({ guardOf, ...page });
  const readForm = createReadForm(page.csrf);

  for (const path of ["/", "/admin/*"]) app.use(path, pageHeaders);
  const keeps = { handles: stores.allHandles !== undefined, tasks: stores.allTasks !== undefined };
  app.use("/admin/*", (c, next) => {
    c.set("keeps", keeps);
    return next();
  });
  app.get("/", homeEndpoint(server));
  app.get(assets.style.path, assetEndpoint("style"));
  app.get(assets.script.path, assetEndpoint("script"));

  const { show, signIn, signOut } = signInEndpoint({ ...page, readForm });
  app.get("/admin/sign-in", show);
  app.post("/admin/sign-in", signIn);
  app.post("/admin/sign-out", viewerGuard("health"), signOut);

  const overview = overviewEndpoint({
    ...page,
    limits: stores.healthLimits,
    maxAgeSeconds: stores.healthMaxAgeSeconds,
    readForm,
    now,
  });
  app.get("/admin", viewerGuard("health"), overview.show);
  app.post("/admin/ask", viewerGuard("health"), overview.ask);
  app.get("/admin/connect", viewerGuard("admin"), connectEndpoint(server));
  addListRoutes(app, { ...stores, lists: page.lists, viewerGuard, readForm, now });
  return app;
}

/** Nothing is loaded from elsewhere, no script runs but ours, and no other site may show a page in a frame. */
const pageHeaders = createMiddleware<{ Variables: PageVariables }>(async function pageHeadersOf(c, next) {
  const nonce = crypto.randomUUID();
  c.set("nonce", nonce);
  await next();
  c.header(
    "Content-Security-Policy",
    `default-src 'none'; style-src 'self'; script-src 'nonce-${nonce}'; connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  );
  c.header("X-Content-Type-Options", "nosniff");
  // With no-referrer browsers would hide the Origin of our own forms, which readForm needs.
  c.header("Referrer-Policy", "same-origin");
  c.header("Cross-Origin-Opener-Policy", "same-origin");
  c.header("Cross-Origin-Resource-Policy", "same-origin");
});
