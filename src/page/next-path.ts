// Where a person goes after the sign-in: back to the page they asked for, and to no other site. Pure.

const HOME = "/admin";
const SIGN_IN = "/admin/sign-in";
// One segment after the other, so neither `//other.example` nor a backslash, which browsers read as a slash.
const OWN = /^\/admin(?:\/[\w.~%-]+)*\/?(?:\?[\w.~%&=+:-]*)?$/;
const MAX_CHARACTERS = 1000;

/** A path of our own pages; else the first page. */
export function nextPath(asked: string | undefined): string {
  if (asked === undefined || asked.length > MAX_CHARACTERS || !OWN.test(asked)) return HOME;
  const { pathname, search } = new URL(asked, "https://here.invalid");
  // The address may have had dots that lead elsewhere.
  const isOwn = pathname === HOME || pathname.startsWith(`${HOME}/`);
  return isOwn && !pathname.startsWith(SIGN_IN) ? pathname + search : HOME;
}

/** The sign-in, from which a person comes back to `path`. */
export function signInPath(path: string): string {
  const next = nextPath(path);
  return next === HOME ? SIGN_IN : `${SIGN_IN}?next=${encodeURIComponent(next)}`;
}
