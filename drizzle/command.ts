#!/usr/bin/env node
// The command of the package: npx mcp-sessions migrate | check. It needs Node 20, and no TypeScript.
import { fileURLToPath } from "node:url";
import { runCheck } from "./check.ts";
import { runMigrate } from "./migrate.ts";
import { installed } from "./terminal.ts";

// From dist/package, where the build puts this.
const folder = fileURLToPath(new URL("../../drizzle", import.meta.url));

const commands: Record<string, { run: typeof runMigrate; usage: string; does: string }> = {
  migrate: {
    run: runMigrate,
    usage: "npx mcp-sessions migrate [--plan] [--convert] [--wait SECONDS]",
    does: "brings the database to the tables and routines of this version; --plan only says what it would do",
  },
  check: {
    run: runCheck,
    usage: "npx mcp-sessions check [--json]",
    does: "tries whether the Worker can work with the database, and changes nothing",
  },
};

const HELP = [
  ...Object.values(commands).map(({ usage, does }) => `${usage}\n    ${does}`),
  "DATABASE_URL is read from the environment, or from .dev.vars in this folder.",
].join("\n");

const [name = "", ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command !== undefined) {
  const code = await command.run(args, installed(folder, command.usage));
  if (code > 0) process.exit(code);
} else if (["help", "--help", "-h"].includes(name)) {
  console.log(HELP);
} else {
  console.error(HELP);
  process.exitCode = 2;
}
