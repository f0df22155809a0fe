// Signs operators in with a key, and out.
import * as z from "zod";
import { logOf } from "../log.ts";
import type { Csrf } from "./csrf.ts";
import { NOBODY, type ReadForm } from "./form.ts";
import { maySee } from "./layout.ts";
import { nextPath } from "./next-path.ts";
import type { PageContext } from "./guard.ts";
import { signInPage, type SignInProblem } from "./sign-in-page.ts";
import type { HearsWrongKey } from "./sign-in-limit.ts";
import type { KeyHolder, SignIns } from "./sign-ins.ts";

const log = logOf("page", {
  info: {
    "Operator signed in": {
      meaning: "Somebody has shown a key with the scope `admin` or `health` on `/admin/sign-in`.",
      fields: ["principal", "request_id"],
    },
    "Operator signed out": {
      meaning: "Somebody has ended their sign-in. It would have ended by itself after an hour.",
      fields: ["principal", "request_id"],
    },
  },
  warning: {
    "Sign-in refused": {
      meaning:
        "A key was tried on `/admin/sign-in` that is none of ours (`unknown_key`), or has neither scope (`lacks_scope`). Beyond 30 in a minute no more lines are written.",
      fields: ["reason", "principal", "request_id"],
    },
  },
});

const statuses = { unknown_key: 401, lacks_scope: 403, too_many: 429 } as const;

export interface SignInOptions {
  signIns: SignIns;
  csrf: Csrf;
  readForm: ReadForm;
  hearsWrongKey: HearsWrongKey;
}

export function signInEndpoint({ signIns, csrf, readForm, hearsWrongKey }: SignInOptions) {
  // Made here, so that a Worker without the page makes none.
  const nothing = z.object({});
  // Keys have 256 characters at most. A longer text is none, and its length is no reason to fail.
  const credentials = z.object({ key: z.string().default(""), next: z.string().default("") });

  async function form(c: PageContext, next: string, problem?: SignInProblem) {
    const nonce = c.get("nonce");
    const body = signInPage({ nonce, csrf: await csrf.tokenFor(NOBODY), next, problem });
    if (problem === "too_many") c.header("Retry-After", "60");
    return c.html(body, problem === undefined ? 200 : statuses[problem]);
  }

  async function refuse(c: PageContext, holder: KeyHolder | undefined, next: string) {
    if (!(await hearsWrongKey(c))) return form(c, next, "too_many");
    const reason = holder === undefined ? "unknown_key" : "lacks_scope";
    const principal = holder?.principal.label;
    log.warning("Sign-in refused", { reason, principal, request_id: c.get("requestId") });
    return form(c, next, reason);
  }

  return { show, signIn, signOut };

  async function show(c: PageContext) {
    const next = nextPath(c.req.query("next"));
    return (await signIns.find(c)) === undefined ? form(c, next) : c.redirect(next, 303);
  }

  async function signIn(c: PageContext) {
    const { key, next: asked } = await readForm(c, credentials);
    const next = nextPath(asked);
    const holder = await signIns.holderOf(key.trim());
    if (holder === undefined || !maySee(holder.principal, "health")) return refuse(c, holder, next);
    await signIns.begin(c, holder);
    c.set("principal", holder.principal);
    log.info("Operator signed in", { principal: holder.principal.label, request_id: c.get("requestId") });
    return c.redirect(next, 303);
  }

  async function signOut(c: PageContext) {
    await readForm(c, nothing);
    signIns.end(c);
    log.info("Operator signed out", {
      principal: c.get("principal")?.label,
      request_id: c.get("requestId"),
    });
    return c.redirect("/admin/sign-in", 303);
  }
}
