// The overview, what clients need to connect, and the page at /.
import * as z from "zod";
import { resourceOf } from "../auth/challenge.ts";
import { eachTier } from "../cleanup/tiers.ts";
import { grade, type Limits } from "../health/grade.ts";
import { logOf } from "../log.ts";
import { connectPage } from "./connect-page.ts";
import type { Setup } from "./configuration.ts";
import type { ReadForm } from "./form.ts";
import { frameOf, type PageContext } from "./guard.ts";
import { homePage } from "./home-page.ts";
import type { Known, KnownOverview } from "./known-overview.ts";
import { overviewPage } from "./overview-page.ts";
import { cuHours } from "./overview-store.ts";

const log = logOf("page", {
  error: {
    "Overview not counted": {
      meaning: "The page of operators could not ask the database, and shows what it knew before.",
      fields: ["kind", "sqlstate", "request_id"],
    },
  },
});

export interface OverviewOptions {
  known: KnownOverview;
  limits: Limits;
  maxAgeSeconds: number;
  setup: Setup;
  readForm: ReadForm;
  now: () => Date;
}

export function overviewEndpoint({ known, limits, maxAgeSeconds, setup, readForm, now }: OverviewOptions) {
  const nothing = z.object({});
  return { show, ask };

  /** 200 in an outage, too: that the database is down is what this page says. Monitors ask /session-health. */
  async function show(c: PageContext) {
    const found = await known.look(originOf(c), isLook(c));
    logFault(c, found);
    const { overview, fault } = found;
    const at = now();
    return c.html(
      overviewPage(frameOf(c, "Overview"), {
        now: at,
        overview,
        fault,
        reasons: overview === undefined || fault !== undefined ? [] : grade(overview.census, limits),
        schedules: eachTier((tier) => ({
          isOn: limits.activeTiers.includes(tier),
          cron: limits.crons[tier].getPattern() ?? "",
          next: limits.crons[tier].nextRun(at),
        })),
        maxAgeSeconds,
        cuHours,
        setup,
      }),
    );
  }

  /** Asks the database now. Where each look asks, the look that follows does. */
  async function ask(c: PageContext) {
    await readForm(c, nothing);
    if (maxAgeSeconds > 0) logFault(c, await known.ask(originOf(c)));
    return c.redirect("/admin", 303);
  }
}

const originOf = (c: PageContext) => new URL(c.req.url).origin;

function logFault(c: PageContext, { fault }: Known) {
  if (fault === undefined) return;
  const { kind, sqlstate } = fault;
  log.error("Overview not counted", { kind, sqlstate, request_id: c.get("requestId") });
}

/** Whether a person looks. A browser that loads a page in case it is wanted wakes no database. */
function isLook({ req }: PageContext): boolean {
  const purpose = `${req.header("Sec-Purpose") ?? ""} ${req.header("Purpose") ?? ""}`;
  return req.method === "GET" && !/prefetch|preview/i.test(purpose);
}

/** What clients are told of the server. */
export interface ServerFacts {
  serverName: string;
  hasSignIn: boolean;
}

export function connectEndpoint(facts: ServerFacts) {
  return (c: PageContext) =>
    c.html(connectPage(frameOf(c, "Connect a client"), { ...facts, url: resourceOf(c.req.url) }));
}

export function homeEndpoint(facts: ServerFacts) {
  return (c: PageContext) => c.html(homePage(c.get("nonce"), { ...facts, url: resourceOf(c.req.url) }));
}
