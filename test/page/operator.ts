// An operator who reads pages, follows their links, fills in their forms and sends them.
import { keys } from "../support/worker.ts";
import { ORIGIN, visitor } from "./browser-like.ts";

export interface Form {
  method: string;
  action: string;
  /** What it sends when nothing is filled in. */
  fields: Record<string, string>;
}

export interface Page {
  status: number;
  /** Where the answer leads, or null. */
  location: string | null;
  headers: Headers;
  html: string;
  /** The text of the page without its markup and its frame: what stands in `main`. */
  text: string;
  forms: Form[];
  /** The addresses of all links in `main`. */
  links: string[];
}

/** Reads a page as browsers do. */
export async function read(response: Response): Promise<Page> {
  const html = await response.clone().text();
  let text = "";
  const forms: Form[] = [];
  const links: string[] = [];
  const rewriter = new HTMLRewriter()
    // What stands in elements of its own is a word of its own.
    .on("main *", { element: () => void (text += " ") })
    .on("main", { text: (chunk) => void (text += chunk.text) })
    .on("main a[href]", { element: (link) => void links.push(decoded(link.getAttribute("href") ?? "")) })
    .on("form", {
      element: (found) =>
        void forms.push({
          method: found.getAttribute("method") ?? "get",
          action: decoded(found.getAttribute("action") ?? ""),
          fields: {},
        }),
    })
    .on("form input[name]", {
      element(input) {
        const last = forms.at(-1);
        if (last) last.fields[input.getAttribute("name") ?? ""] = decoded(input.getAttribute("value") ?? "");
      },
    });
  await rewriter.transform(response).text();
  return {
    status: response.status,
    location: response.headers.get("Location"),
    headers: response.headers,
    html,
    text: decoded(text).replaceAll(/\s+/g, " ").trim(),
    forms,
    links,
  };
}

/** The entities that hono/html writes. */
const decoded = (text: string) =>
  text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

export type Operator = Awaited<ReturnType<typeof signIn>>;

/** Signs in with a key. */
export async function signIn(env: Env, key: string = keys.admin) {
  const browser = visitor(env);
  await browser.signIn(key);
  const { cookie } = browser;
  if (cookie === undefined) throw new Error("The key was refused");
  const get = async (path: string) => read(await browser.get(path));
  /** @param fields with the token of the form. */
  const post = async (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
    read(await browser.post(path, { csrf: "", ...fields }, { headers }));
  return {
    cookie,
    get,
    post,
    /** Opens a page, fills in its form with this action, and sends it. */
    async submit(path: string, action: string, filledIn: Record<string, string> = {}) {
      const page = await get(path);
      const form = page.forms.find((of) => of.action === action);
      if (form === undefined) throw new Error(`No form for ${action} on: ${page.text}`);
      return post(form.action, { ...form.fields, ...filledIn });
    },
  };
}

/** The request that a browser sends with a form of a page of ours. */
export const formRequest = (path: string, fields: Record<string, string>, cookie: string) =>
  new Request(`${ORIGIN}${path}`, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { Origin: ORIGIN, "Sec-Fetch-Site": "same-origin", Cookie: cookie },
    redirect: "manual",
  }) as Request<unknown, IncomingRequestCfProperties>;
