// The versions of the conformance suite that we run, and the scenarios of each that cannot pass yet, with what they need.
// The only list of them: a scenario that fails and is not here fails the run, and so does one here that passes.

export const knownFailures = {
  "0.1.16": {},
  "0.2.0-alpha.12": {},
} satisfies Record<string, Record<string, string>>;

/**
 * A version of @modelcontextprotocol/conformance. It is an alias in devDependencies, `conformance-VERSION`, because the lock
 * file then pins what it depends on, too, and a run needs no registry; `npm ci` takes 2 s and 20 MB more.
 */
export type SuiteVersion = keyof typeof knownFailures;

export const suiteVersions = Object.keys(knownFailures) as SuiteVersion[];

export const isSuiteVersion = (value: string): value is SuiteVersion => Object.hasOwn(knownFailures, value);

/**
 * What the list does not expect, a sentence each.
 * @param passed whether it passed, by name of the scenario
 */
export function surprisesOf(
  passed: ReadonlyMap<string, boolean>,
  known: Readonly<Record<string, string>>,
): string[] {
  const failed = [...passed].filter(([name, hasPassed]) => !hasPassed && !Object.hasOwn(known, name));
  const stale = Object.keys(known).filter((name) => passed.get(name) !== false);
  return [
    ...failed.map(([name]) => `${name} fails, and is expected to pass`),
    ...stale.map((name) =>
      passed.has(name)
        ? `${name} passes now: take it out of the list in test/conformance/known-failures.ts`
        : `${name} is no scenario of this version: take it out of the list in test/conformance/known-failures.ts`,
    ),
  ];
}
