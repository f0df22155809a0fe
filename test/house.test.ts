// The shape of the house: which rooms may import which, and what must agree between two places.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type Node, SyntaxKind } from "typescript/unstable/ast";
import {
  isIdentifier,
  isPropertyDeclaration,
  isPropertySignatureDeclaration,
  isVariableDeclaration,
} from "typescript/unstable/ast/is";
import { API } from "typescript/unstable/sync";
import { describe, expect, test } from "vitest";
import { unstable_readConfig as readWranglerConfig } from "wrangler";
import { RATE_LIMIT_PERIOD_SECONDS } from "../src/session/protocol.ts";
import { readConfig } from "../src/env.ts";
import { scopes } from "../src/auth/api-keys.ts";
import { eachTier, endedOutcomes, tierForCron, tierNames, tiers, triggers } from "../src/cleanup/tiers.ts";
import { faultKinds } from "../src/db/fault.ts";
import { degradations } from "../src/health/grade.ts";
import { logLevels } from "../src/log.ts";
import { endReasons } from "../src/session/session.ts";

// Imports go down only. Every file of src stands on one floor; the author's room may have any files.
const floors: Record<number, RegExp> = {
  5: /^index\.ts$/,
  4: /^public\/[a-z]+\.ts$/,
  3: /^(worker|app|cron|deps|env|parts\/[a-z-]+)\.ts$/,
  2: /^(server\/.*|[a-z]+\/([a-z]+-)?endpoint|auth\/(guard)|rpc\/(verbs|kept-verbs)|session\/(middleware)|mcp\/(transport|reentry|routes|streamed|request-context|task-run)|health\/(shared-answers)|page\/(guard|form|refusal|(list-)?routes|sign-in-endpoint|sign-in-limit)|http\/(cors|document|refusal|request-log))\.ts$/,
  1: /^([a-z]+\/([a-z]+-)?store|cleanup\/(clean|idle-sleep)|db\/(client|breaker|statements)|auth\/(keys|key-set|jwt|introspection|authorization-server|tokens)|http\/(body|input|openapi)|mcp\/(server-factory|initialize|json-answer|sdk-errors|caller|revisions|request-state|suspension|wrapped-handlers|modern-call|task-calls|task-methods)|session\/(state|own-sessions)|page\/(csrf|history-bars|known-overview|list|signatures|sign-ins|[a-z-]+-(page|words))|admin\/(end-log|session-filter|kept-filter)|handles\/(own-handles)|streams\/(marks-store|replay|recorder|cancellation)|tasks\/(runner|lease|pick-up|consumer|workflow))\.ts$/,
  0: /^(log|settings|unknown-variables|(?!public)[a-z]+\/settings|admin\/(listed-session|listed-kept)|auth\/(api-keys|key-digest|principal|principal-name|credentials|verdict|claims|scope-map|token-settings|challenge|vouched)|rpc\/(answer|caller)|cleanup\/(tiers|wake-time)|db\/(connection-parameters|connection-string|fault|fault-rules|neon-host|pasted-value|read-fault|rights|([a-z]+-)?schema|time)|health\/(grade|trial|usability|kept)|http\/(errors|schema-vendors|accept|json-bounds)|mcp\/(context|stored-call)|page\/(advice|bar-chart|client-configs|configuration|differences|elements|figures|layout|next-path|script|style|time-axis)|metrics\/(families|family|kept-families)|session\/(session|conditions|protocol|degraded|json|messages|client-data|repeated-change)|handles\/(handles|handle-id)|streams\/(event-id|questions|sealed|watched)|tasks\/(task|may-be-task))\.ts$/,
};

const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
  .map((file) => file.replaceAll("\\", "/"));

const floorOf = (file: string) => Number(Object.entries(floors).find(([, rooms]) => rooms.test(file))?.[0]);

const importsOf = (file: string) =>
  [
    ...readFileSync(join("src", file), "utf8").matchAll(
      /^(?:import|export) (type )?[^;]*?from "(\.[^"]+)";/gm,
    ),
  ].map(([, isType, path]) => ({
    isType: isType !== undefined,
    file: relative("src", join("src", dirname(file), path ?? "")).replaceAll("\\", "/"),
  }));

test.each(files)("src/%s stands on a floor and imports from below only", (file) => {
  const floor = floorOf(file);
  const advice = `Nothing says on which floor src/${file} stands: add it to \`floors\` in test/house.test.ts, and to docs/architecture.md`;
  expect(floor, advice).not.toBeNaN();
  for (const imported of importsOf(file)) {
    // On the same floor a file may import another of its own room, or a type of another room.
    const isNeighbour =
      dirname(imported.file) === dirname(file) || imported.isType || floor === 3 || floor === 0;
    const highest = isNeighbour ? floor : floor - 1;
    expect(
      floorOf(imported.file),
      `src/${file} (floor ${floor}) imports src/${imported.file}. Move what it needs to floor ${highest} or below, or take it as an argument that deps.ts passes`,
    ).toBeLessThanOrEqual(highest);
  }
});

test("nothing but index.ts imports from the author's room", () => {
  const others = files.filter((file) => file !== "index.ts" && !file.startsWith("server/"));
  const users = others.filter((file) =>
    importsOf(file).some((imported) => imported.file.startsWith("server/")),
  );
  expect(users, "Move what these need out of src/server/: its author may replace everything there").toEqual(
    [],
  );
});

test("index.ts uses what other programs use, and each subpath of the package is a file of src/public", () => {
  expect(importsOf("index.ts").map(({ file }) => file)).toEqual([
    "public/rpc.ts",
    "public/tasks.ts",
    "public/worker.ts",
    "server/index.ts",
  ]);
  const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
  const subpaths = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
  expect(
    subpaths.map((subpath) => (subpath === "." ? "worker.ts" : `${subpath.slice(2)}.ts`)).toSorted(),
    "A file of src/public is a subpath: add both, and a line to docs/library.md",
  ).toEqual(readdirSync("src/public").toSorted());
  for (const [subpath, { types, default: module }] of subpaths.map(
    (name) => [name, exports[name]] as const,
  )) {
    const path = `./dist/package/${subpath === "." ? "worker" : subpath.slice(2)}`;
    expect({ types, module }).toEqual({ types: `${path}.d.ts`, module: `${path}.js` });
  }
});

test("each of these libraries has one room that knows it", () => {
  const advice = "Use what that file exports instead of the library itself";
  const users = (library: string) =>
    files.filter((file) =>
      new RegExp(`^import (?!type )[^;]*from "${library}`, "m").test(readFileSync(join("src", file), "utf8")),
    );
  expect(users("@neondatabase/serverless"), advice).toEqual(["db/read-fault.ts", "db/statements.ts"]);
  expect(users("croner"), advice).toEqual(["cleanup/tiers.ts"]);
  expect(users("@logtape/logtape"), advice).toEqual(["log.ts"]);
});

test.each(
  Object.entries({
    "cleanup/tiers.ts: tierNames": tierNames,
    "cleanup/tiers.ts: triggers": triggers,
    "cleanup/tiers.ts: endedOutcomes": endedOutcomes,
    "session/session.ts: endReasons": endReasons,
    "db/fault.ts: faultKinds": faultKinds,
    "health/grade.ts: degradations": degradations,
    "auth/api-keys.ts: scopes": scopes,
    "log.ts: logLevels": logLevels,
  }),
)("the list %s stands nowhere else", (source, list) => {
  const [owner] = source.split(":");
  // As an array, a union of literals, or a list of values in SQL.
  const copy = new RegExp(list.map((item) => `["'\`]${item}["'\`]`).join(String.raw`\s*[,|]\s*`));
  const copies = files.filter(
    (file) =>
      file !== owner && !file.startsWith("server/") && copy.test(readFileSync(join("src", file), "utf8")),
  );
  expect(copies, `Derive these from the list in src/${source}`).toEqual([]);
});

describe("no request waits for a promise of another", () => {
  const advice =
    "On Workers the promise of a cancelled request is never settled, and whatever awaits it hangs. Keep the value that it " +
    "resolves to (`x ??= await …`), and let two requests at the same time do the work twice";

  test("no variable that outlives a call, and no member, has a promise in it", () => {
    const api = new API({ cwd: process.cwd() });
    try {
      const project = api.updateSnapshot({ openProjects: ["tsconfig.json"] }).getProject("tsconfig.json");
      const shared = files.flatMap((file) => {
        const source = project?.program.getSourceFile(join("src", file));
        if (source === undefined) throw new Error(`tsconfig.json does not have src/${file}`);
        const names = declaredIn(source).filter(({ isShared }) => isShared);
        const types = project?.checker.getTypeAtLocation(names.map(({ name }) => name)) ?? [];
        return names.flatMap(({ name }, i) => {
          const type = types[i];
          const text =
            type === undefined ? "" : (project?.checker.typeToString(type, name, NO_TRUNCATION) ?? "");
          return hasPromise(text) ? [`src/${file}: ${name.getText(source)}: ${text}`] : [];
        });
      });
      expect(shared, advice).toEqual([]);
    } finally {
      api.close();
    }
  });

  test.each([
    ["Promise<string>", true],
    ["Promise<void> | undefined", true],
    ["Map<string, Promise<Session>>", true],
    ["(Promise<void> | undefined)[]", true],
    ["{ inFlight: PromiseLike<string>; }", true],
    ["() => Promise<void>", false],
    ["(() => Promise<void>) | Promise<string>", true],
    ["() => void | Promise<void>", false],
    ["(key: string, work: () => Promise<void>) => Promise<void>", false],
    ["((work: Promise<void>) => void) | undefined", false],
    ["{ get(key: string): Promise<string>; put: (value: Promise<string>) => Promise<void>; }", false],
  ])("%s: %s", (type, expected) => {
    expect(hasPromise(type)).toBe(expected);
  });

  test("few files make promises by hand, and each settles its own", () => {
    const makers = files.filter((file) =>
      /\bnew Promise\b|\.withResolvers\b/.test(readFileSync(join("src", file), "utf8")),
    );
    // A transport and a recorder live for one request, the run of a task waits for its own lease. State, and a question to the
    // bound server, wait for a timer of their own.
    expect(makers, advice).toEqual([
      "auth/authorization-server.ts",
      "mcp/task-run.ts",
      "mcp/transport.ts",
      "session/repeated-change.ts",
      "streams/recorder.ts",
    ]);
  });
});

/** NodeBuilderFlags.NoTruncation. */
const NO_TRUNCATION = 1;

const functions = new Set([
  SyntaxKind.ArrowFunction,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
  SyntaxKind.Constructor,
]);

/**
 * The names that are declared in a file. A member is shared, and a variable that stands outside of functions, or is used by
 * another function than the one that it stands in.
 */
function declaredIn(source: Node): { name: Node; isShared: boolean }[] {
  const declared: { name: Node; text: string; scope: readonly Node[] | undefined }[] = [];
  const used: { text: string; scope: readonly Node[] }[] = [];
  const visit = (node: Node, scope: readonly Node[]) => {
    if (isPropertyDeclaration(node) || isPropertySignatureDeclaration(node)) {
      declared.push({ name: node.name, text: "", scope: undefined });
    } else if (isVariableDeclaration(node) && isIdentifier(node.name)) {
      declared.push({ name: node.name, text: node.name.text, scope });
    } else if (isIdentifier(node)) {
      used.push({ text: node.text, scope });
    }
    const inner = functions.has(node.kind) ? [...scope, node] : scope;
    node.forEachChild((child) => visit(child, inner));
  };
  visit(source, []);
  return declared.map(({ name, text, scope }) => ({
    name,
    isShared:
      scope === undefined ||
      scope.length === 0 ||
      used.some(
        (use) => use.text === text && use.scope.length > scope.length && use.scope.includes(scope.at(-1)!),
      ),
  }));
}

/** Whether a type has a promise in it. What a function takes or returns does not count. */
function hasPromise(type: string): boolean {
  let text = type;
  for (let before = ""; before !== text;) {
    before = text;
    // Parameters, the innermost ones first; then the parentheses around a type, and functions in them.
    text = text
      .replaceAll(/\([^()]*\)(?= =>|:)/g, "§")
      .replaceAll(/\(([^()]*)\)(?! =>|:)/g, (_, inner: string) => (inner.includes("=>") ? "" : inner));
  }
  return /\bPromise(?:Like)?</.test(text.replaceAll(/§(?: =>|:) [^;}]*/g, ""));
}

test("no file of src, dev or drizzle has more than 250 lines", () => {
  const all = ["src", "dev", "drizzle"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
  );
  const long = all.filter(
    (file) =>
      /\.(ts|sql)$/.test(file) &&
      !file.endsWith(".d.ts") &&
      !file.startsWith(join("src", "server")) &&
      readFileSync(file, "utf8").split("\n").length > 251,
  );
  expect(long, "A second subject has moved in: split the file by subject").toEqual([]);
});

test("a slow machine fails no test: none has a time limit of its own, and none must be done within a time", () => {
  const limits = [
    // A time limit as the last argument of a test. 0 is none.
    /^ *\}, [1-9][\d_]*\);$/m,
    /\b(waitFor|poll)\([^;]*\btimeout: \d/,
    /\bnow\(\) - [^;]*\.toBeLess/,
  ];
  const tests = readdirSync("test", { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !/^(bench|conformance)\b/.test(file),
  );
  const measuring = tests.filter((file) => {
    const text = readFileSync(join("test", file), "utf8");
    return limits.some((limit) => limit.test(text));
  });
  expect(measuring, "Wait for an event instead: CONTRIBUTING.md, Tests").toEqual([]);
});

describe("wrangler.toml", () => {
  const config = readWranglerConfig({ config: "wrangler.toml" });
  const crons = eachTier((tier) => String(config.vars[tiers[tier].cronVariable]));

  test("its triggers are exactly the crons of the tiers", () => {
    expect(config.triggers.crons?.map((cron: string) => tierForCron(cron, crons)).toSorted()).toEqual(
      [...tierNames].toSorted(),
    );
  });

  test("every environment in it has triggers of its own, or none", () => {
    // Environments inherit the triggers but not the variables, so one without its own would fire unknown crons.
    expect(Object.keys(config.env ?? {})).toEqual([]);
  });

  test("the period of its rate limit is what clients are told to wait", () => {
    const periods = config.ratelimits?.map((limit: { simple: { period: number } }) => limit.simple.period);
    expect(periods, "Change RATE_LIMIT_PERIOD_SECONDS in src/session/protocol.ts with it").toEqual([
      RATE_LIMIT_PERIOD_SECONDS,
    ]);
  });

  test("its variables are known, and their values are right", () => {
    const secrets = {
      DATABASE_URL: "postgresql://role:password@ep.example.com/database",
      API_KEYS: "a:mcp:0123456789abcdefghijklmn",
    };
    expect(readConfig({ ...config.vars, ...secrets }).unknownVariables).toEqual([]);
  });
});
