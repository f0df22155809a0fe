// Says which places of instrumented source a test file has reached so far, with each of its tests. Only in runs of mutants.
import { afterEach } from "vitest";

declare module "vitest" {
  interface TaskMeta {
    /** The ids of test/mutants/source.ts. */
    reached?: string[];
  }
}

afterEach(({ task }) => {
  const { __stryker__: counted } = globalThis as {
    __stryker__?: { mutantCoverage?: { static: Record<string, number> } };
  };
  task.meta.reached = Object.keys(counted?.mutantCoverage?.static ?? {});
});
