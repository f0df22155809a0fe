// The sign-in alone, and a client that asks it by hand, so that it can ask what a library would not.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareSignIn } from "../../dev/sign-in.ts";
import { lowPort, newKey, prepareWorker } from "../e2e/support.ts";
import { unlimited } from "../support/unlimited.ts";

/** The resource that tokens are for. Nothing answers there: only the sign-in is started. */
export const PORT_OF_MCP = 8787;
// Of RFC 7636, appendix B.
const VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

export interface SignIn {
  url: string;
  keys: Record<"alice" | "operator" | "monitor", string>;
  close(): Promise<void>;
}

/** @param isLimited whether it has its limits of a minute, which a test on a fast machine reaches. */
export async function startSignIn({ isLimited = false } = {}): Promise<SignIn> {
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-sign-in-"));
  const keys = { alice: newKey(), operator: newKey(), monitor: newKey() };
  const apiKeys = `alice:mcp:${keys.alice} operator:mcp+admin:${keys.operator} monitor:health:${keys.monitor}`;
  const { signIn } = prepareSignIn({ port: PORT_OF_MCP, signInPort: await lowPort(), folder, apiKeys });
  const config = isLimited ? signIn.config : unlimited(signIn.config, folder);
  const { worker, start, close } = await prepareWorker({ ...signIn, config }, new AbortController().signal);
  await start();
  return {
    url: worker.url,
    keys,
    async close() {
      await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The id of a client that registers itself. */
export async function register(signIn: string, redirectUri: string, name = "A test client"): Promise<string> {
  const response = await fetch(`${signIn}/oauth/register`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      client_name: name,
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: "none",
    }),
  });
  const { client_id: id }: { client_id: string } = JSON.parse(await response.text());
  return id;
}

/** The address that a client sends a person to. An undefined parameter is left out. */
export function askingUrl(
  signIn: string,
  {
    clientId,
    redirectUri,
    ...more
  }: { clientId: string; redirectUri: string } & Record<string, string | undefined>,
): string {
  const parameters = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    state: "a-state",
    scope: "mcp",
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
    ...more,
  };
  const url = new URL("/authorize", signIn);
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) url.searchParams.set(name, value);
  return url.href;
}

/** What the token endpoint answers to a code. */
export async function redeem(
  signIn: string,
  { code, clientId, redirectUri }: { code: string; clientId: string; redirectUri: string },
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${signIn}/oauth/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code,
      client_id: clientId,
      redirect_uri: redirectUri,
      code_verifier: VERIFIER,
    }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}
