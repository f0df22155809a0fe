// Which names of variables are taken for mistakes, and which for somebody else's.
import { expect, test } from "vitest";
import { findUnknownVariables } from "../src/unknown-variables.ts";

const KNOWN = [
  "MCP_CLEANUP_BATCH_SIZE",
  "HEALTH_TIMEOUT_MS",
  "LOG_LEVEL",
  "OAUTH_ISSUER",
  "ADMIN_PAGE",
  "DATABASE_URL",
];
const found = (...names: string[]) =>
  findUnknownVariables(names, KNOWN).map(({ name, nearest }) => `${name} ${nearest}`);

test("what is known is no mistake", () => {
  expect(found(...KNOWN)).toEqual([]);
});

test("what begins like ours is told, with the nearest of ours when one is near", () => {
  expect(
    found(
      "MCP_CLEANUP_BATCHSIZE",
      "LOG_LEVELS",
      "HEALTH_X",
      "MCP_",
      "LOG_TIMEOUT_MS",
      "LOG_LEVELABCD",
      "LOG_LVL",
    ),
  ).toEqual([
    "HEALTH_X null",
    "LOG_LEVELABCD LOG_LEVEL",
    "LOG_LEVELS LOG_LEVEL",
    "LOG_LVL LOG_LEVEL",
    "LOG_TIMEOUT_MS HEALTH_TIMEOUT_MS",
    "MCP_ null",
    "MCP_CLEANUP_BATCHSIZE MCP_CLEANUP_BATCH_SIZE",
  ]);
});

test("a name that others use as well is told only when one or two letters are wrong", () => {
  expect(
    found("OAUTH_ISUER", "OAUTH_ISSUER_URL", "ADMIN_PAGES", "ADMIN_PAGEXY", "ADMIN_PAGEXYZ", "SIGN_IN"),
  ).toEqual(["ADMIN_PAGES ADMIN_PAGE", "ADMIN_PAGEXY ADMIN_PAGE", "OAUTH_ISUER OAUTH_ISSUER"]);
});

test("any other name is the deployment's own", () => {
  expect(
    found(
      "DATABASE_URLS",
      "MY_MCP_SETTING",
      "mcp_x",
      "XLOG_LEVEL",
      "MY_ADMIN_PAGE",
      "X_ADMIN_PAGE",
      "LOGS_X",
      "",
    ),
  ).toEqual([]);
});
