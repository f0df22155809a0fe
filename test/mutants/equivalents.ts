// Mutants that no test can kill, each with the reason. An entry that fits no mutant, or one that a test kills, is an error.
import { equivalentsOfSource } from "./equivalents/of-source.ts";
import { equivalentsOfSql } from "./equivalents/of-sql.ts";

export const equivalents = [...equivalentsOfSource, ...equivalentsOfSql];
