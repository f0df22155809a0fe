// `npm run dev`: everything the Worker needs, on this machine, until Ctrl-C.
import { once } from "node:events";
import { dirname } from "node:path";
import { unstable_readConfig as readWranglerConfig } from "wrangler";
import { tierNames, tiers } from "../src/cleanup/tiers.ts";
import { readArguments } from "./arguments.ts";
import { bannerText } from "./banner.ts";
import { fireAt, startCrons } from "./crons.ts";
import { NEON_PORT, openEmbedded, type OpenDatabase, openRemote } from "./database.ts";
import { servedEras } from "./eras.ts";
import { Failure, reasonOf } from "./failure.ts";
import { openGiven } from "./given-database.ts";
import { claimInstance } from "./instance.ts";
import { anyFreePort, freePort, portProblem } from "./ports.ts";
import { type Life, untilAsked } from "./shutdown.ts";
import { checkVariables } from "./variables.ts";
import { keyWithScope, openVars, type Vars } from "./vars.ts";
import { prepareSignIn } from "./sign-in.ts";
import { launchWorker } from "./worker.ts";

const WORKER_PORT = 8787;
const SIGN_IN_FOLDER = ".dev/sign-in";
// The log is for eyes.
const DEFAULTS: Vars = { LOG_FORMAT: "text" };
// Both tiers have something to do, and a client without a session has tools that keep something. What a remote database is
// for is not decided here.
const EMBEDDED_DEFAULTS: Vars = { MCP_AGGRESSIVE_CLEANUP: "true", MCP_HANDLES: "true" };

process.chdir(dirname(import.meta.dirname));
process.exit(await untilAsked(dev));

async function dev(life: Life): Promise<void> {
  const { port: wantedPort, signIn: wantsSignIn, ...given } = readArguments(process.argv.slice(2));
  // The process list shows the title in place of the arguments, of which one may be a password.
  if (given.database !== undefined) process.title = "npm run dev";
  const instance = await claimInstance();
  life.defer("The lock", instance.release);

  const { vars, databaseUrl, apiKeys, wasMade } = openVars(".", given.database !== undefined);
  if (wasMade) console.log("Made .dev.vars with a new API key.");
  const config = readConfig();
  const crons: string[] = config.triggers.crons ?? [];
  const { DATABASE_URL: _, ...ownVars } = vars;
  const { problems, warnings } = await checkVariables({ ...config.vars, ...ownVars });
  if (problems.length > 0)
    throw new Failure(["The variables are wrong, in .dev.vars or wrangler.toml:", ...problems].join("\n"));
  for (const warning of warnings) console.log(`Warning: ${warning}`);

  const port = await workerPort(wantedPort);
  const pair = wantsSignIn
    ? prepareSignIn({ port, signInPort: await freePort(port + 1), folder: SIGN_IN_FOLDER, apiKeys })
    : undefined;
  const database = await openDatabase(life, given, databaseUrl);

  const secretNames = config.secrets?.required ?? [];
  const isEmbedded = given.database === undefined && databaseUrl === undefined;
  const defaults = isEmbedded ? { ...DEFAULTS, ...EMBEDDED_DEFAULTS } : DEFAULTS;
  const all: Vars = { ...defaults, ...vars, ...pair?.main.vars, ...database.vars };
  const foreign = [...secretNames, ...Object.keys(config.vars), ...Object.keys(all), "PGPASSWORD"];
  const worker = launchWorker({
    ...pair?.main,
    port,
    inspectorPort: await anyFreePort(),
    secrets: pick(all, (name) => secretNames.includes(name)),
    vars: pick(all, (name) => !secretNames.includes(name)),
    foreign,
  });
  life.defer("wrangler", worker.close);
  console.log("Starting the Worker.");
  const signIn = pair && launchWorker({ ...pair.signIn, inspectorPort: await anyFreePort(), foreign });
  if (signIn !== undefined) life.defer("wrangler of the sign-in", signIn.close);
  await Promise.all([worker.untilReady(life.asked), signIn?.untilReady(life.asked)]);

  const stopCrons = startCrons({
    crons,
    fire: (fired) => fireAt(worker.url, fired, life.asked),
    log: (line) => {
      if (!life.asked.aborted) console.log(line);
    },
  });
  life.defer("The crons", stopCrons);

  instance.publish({ workerUrl: worker.url, ...database.places });
  console.log(
    bannerText({
      workerUrl: worker.url,
      signInUrl: signIn?.url,
      database: database.shown,
      apiKey: keyWithScope(apiKeys, "health"),
      mcpKey: keyWithScope(apiKeys, "mcp"),
      crons: crons.map((cron) => ({ cron, tier: tierOf(cron, { ...config.vars, ...vars }) })),
      served: servedEras({ ...config.vars, ...all }),
      notes: [
        ...(port === (wantedPort ?? WORKER_PORT) ? [] : [`Port ${WORKER_PORT} is taken.`]),
        ...database.notes,
        ...warnings,
      ],
    }),
  );
  await untilOver(life, Promise.race([worker.ended, ...(signIn === undefined ? [] : [signIn.ended])]));
}

function openDatabase(
  life: Life,
  { database, convert }: { database: string | undefined; convert: boolean },
  remoteUrl: string | undefined,
): Promise<OpenDatabase> | OpenDatabase {
  if (database !== undefined) return openGiven(life, database, { convert, neonPort: NEON_PORT });
  return remoteUrl === undefined ? openEmbedded(life) : openRemote(remoteUrl);
}

/** Ends when it is asked to; @throws Failure when wrangler ends before that */
async function untilOver({ asked }: Life, ended: Promise<unknown>): Promise<void> {
  if (asked.aborted) return;
  await Promise.race([ended, once(asked, "abort")]);
  if (!asked.aborted) throw new Failure("wrangler ended by itself, so everything stops.");
}

/** @throws Failure with what is wrong in wrangler.toml */
function readConfig(): ReturnType<typeof readWranglerConfig> {
  try {
    return readWranglerConfig({ config: "wrangler.toml" }, { hideWarnings: true });
  } catch (error) {
    throw new Failure(`wrangler.toml cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws Failure when the port that was asked for cannot be had */
async function workerPort(wanted: number | undefined): Promise<number> {
  if (wanted === undefined) return freePort(WORKER_PORT);
  const problem = await portProblem(wanted);
  if (problem === undefined) return wanted;
  const reason = problem === "EADDRINUSE" ? "is taken" : `cannot be used (${problem})`;
  throw new Failure(
    `Port ${wanted} ${reason}. Choose another with --port, or leave --port out for any free one.`,
  );
}

function tierOf(cron: string, vars: Readonly<Record<string, unknown>>): string {
  return tierNames.find((tier) => vars[tiers[tier].cronVariable] === cron) ?? "unknown";
}

function pick(vars: Vars, isWanted: (name: string) => boolean): Vars {
  return Object.fromEntries(Object.entries(vars).filter(([name]) => isWanted(name)));
}
