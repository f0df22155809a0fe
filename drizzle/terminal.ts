// Where a command is run: in a checkout, or by npx from the installed package. Its texts name the commands of that place.

export interface Terminal {
  /** Of the SQL files. */
  folder: string;
  usage: string;
  log: (text: string) => void;
  error: (text: string) => void;
}

export const checkout = (folder: string, usage: string): Terminal => ({
  folder,
  usage,
  log: (text) => console.log(text),
  error: (text) => console.error(text),
});

/** The same for readers who have no checkout. */
export const installed = (folder: string, usage: string): Terminal => ({
  folder,
  usage,
  log: (text) => console.log(asNpx(text)),
  error: (text) => console.error(asNpx(text)),
});

/** `npm run db:migrate -- --plan` → `npx mcp-sessions migrate --plan` */
const asNpx = (text: string) =>
  text.replaceAll(/npm run db:(migrate|check)(?: --(?= ))?/g, "npx mcp-sessions $1");
