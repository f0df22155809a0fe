// What editors, shells and copy buttons put around a connection string, and how to take it off. Pure.

// Characters that nobody sees: white space, also of other widths, and byte order marks.
const UNSEEN = String.raw`[\s\u200b-\u200f\u2060\ufeff]`;
const AROUND = new RegExp(`^${UNSEEN}+|(?:${UNSEEN}|\\\\r|\\\\n)+$`, "g");
// An opening and a closing mark belong to one kind. Word processors mix them.
const MARKS = ['"', "'", "`", "“”„‟", "‘’‚‛", "«»"];
// DATABASE_URL= as in a file or a shell, and psql as the Neon console copies it.
const BEFORE =
  /^(?:(?:(?:export|set|setx)\s+|\$env:)?[a-z_]\w*\s*[=:]\s*|psql(?:\.exe)?\s+(?:(?:-d|--dbname)[\s=]*)?)(?=["'`“”„‘’‚]?(?:psql|postgres(?:ql)?:))/i;

/** The string itself, without white space, quotation marks, `DATABASE_URL=` or `psql` around it. */
export function unwrapped(text: string): string {
  let inner = text;
  for (let before; inner !== before;) {
    before = inner;
    inner = inner.replaceAll(AROUND, "").replace(BEFORE, "");
    // As in code: "…", or "…";
    const marked = inner.replace(/[,;]$/, "");
    const [first = " ", last = " "] = [marked.at(0), marked.at(-1)];
    const isMarked =
      marked.length > 1 && MARKS.some((marks) => marks.includes(first) && marks.includes(last));
    if (isMarked || (first === "<" && last === ">")) inner = marked.slice(1, -1);
  }
  return inner;
}
