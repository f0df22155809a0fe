// Where a command is run: in a checkout, or by npx from the installed package. Its texts name the commands of that place.

export interface Terminal {
  /** Of the SQL files. */
  folder: string;
  usage: string;
  log: (text: string) => void;
  error: (text: string) => void;
}

/** What is said of wrong arguments. None is repeated: people give the connection string, with its password, as one. */
export const usageOf = (usage: string) =>
  `Usage: ${usage}\nThe connection string is no argument: it is read from DATABASE_URL, or from .dev.vars.`;

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
