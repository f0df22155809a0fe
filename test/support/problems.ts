// What is wrong with a configuration, as its reader says it.
import { ConfigurationError } from "../../src/settings.ts";

/** By variable; none when it is read. */
export function problemsIn(read: () => unknown): Record<string, string> {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return {};
}
