// People at their browsers, and the official clients that they sign in to: the flow as it runs on a desk, without a desk.
import {
  Client as ClientV2,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport as TransportV2,
  UnauthorizedError as UnauthorizedV2,
} from "@modelcontextprotocol/client";
import { UnauthorizedError as UnauthorizedV1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { clientInfo, type Connection, type Exchange } from "./connections.ts";

// Nobody listens there: the browser stops when it is sent there.
const REDIRECT_URL = "http://127.0.0.1:33418/callback";
const clientMetadata = {
  client_name: clientInfo.name,
  redirect_uris: [REDIRECT_URL],
  application_type: "native",
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};
// A flow has 8 redirects and pages; a circle has no end.
const STEPS_MAX = 20;

/** A person's browser: keeps cookies, signs in as that person and agrees to what is asked. */
export function createBrowser(person: string) {
  const cookies = new Map<string, string>();
  const request = async (url: URL, form?: URLSearchParams) => {
    const response = await fetch(url, {
      redirect: "manual",
      headers: { Cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(form !== undefined && { method: "POST", body: form }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    return response;
  };
  return {
    /** Opens an authorization request and returns where the browser is sent back to. */
    async authorize(url: URL): Promise<URL> {
      let at = url;
      let response = await request(at);
      for (let step = 0; step < STEPS_MAX; step++) {
        const location = response.headers.get("Location");
        const page = await response.text();
        if (location !== null) {
          at = new URL(location, at);
          if (at.href.startsWith(REDIRECT_URL)) return at;
          response = await request(at);
          continue;
        }
        const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
        const prompt = /name="prompt" value="([^"]+)"/.exec(page)?.[1];
        if (action === undefined || prompt === undefined)
          throw new Error(`No form at ${at.pathname}: ${response.status} ${page}`);
        response = await request(
          new URL(action, at),
          new URLSearchParams({ prompt, login: person, password: "any" }),
        );
      }
      throw new Error("The browser goes in a circle");
    },
  };
}

export type Browser = ReturnType<typeof createBrowser>;

/** A client on the desk of a person: keeps its registration and its tokens, and sends the person's browser out. */
export interface SignIn extends OAuthClientProvider {
  tokens(): StoredOAuthTokens | undefined;
  clientInformation(): { client_id: string } | undefined;
  /** Registers at an authorization server before it is used, for these scopes. */
  register(issuer: string, scope: string): Promise<void>;
  /** Where the browser came back to last. */
  returned(): URLSearchParams;
  /** How often the person was sent to the authorization server. */
  redirects(): number;
}

export function createSignIn(browser: Browser): SignIn {
  let information: ReturnType<SignIn["clientInformation"]>;
  let tokens: ReturnType<SignIn["tokens"]>;
  let discovered: OAuthDiscoveryState | undefined;
  let verifier = "";
  let returned = new URLSearchParams();
  let redirects = 0;
  return {
    redirectUrl: REDIRECT_URL,
    clientMetadata,
    async register(issuer, scope) {
      const response = await fetch(new URL("/reg", issuer), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ...clientMetadata, scope }),
      });
      information = (await response.json()) as typeof information;
    },
    clientInformation: () => information,
    saveClientInformation(saved) {
      information = saved;
    },
    tokens: () => tokens,
    saveTokens(saved) {
      tokens = saved;
    },
    invalidateCredentials(scope) {
      if (scope === "tokens" || scope === "all") tokens = undefined;
    },
    codeVerifier: () => verifier,
    saveCodeVerifier(saved) {
      verifier = saved;
    },
    discoveryState: () => discovered,
    saveDiscoveryState(saved) {
      discovered = saved;
    },
    async redirectToAuthorization(url) {
      redirects += 1;
      returned = (await browser.authorize(url)).searchParams;
    },
    returned: () => returned,
    redirects: () => redirects,
  };
}

export interface SignInOptions {
  mcp: URL;
  provider: SignIn;
}

export interface SignedInConnection extends Connection {
  /** Gives the client what the browser has come back with, after a call has failed because its person must sign in again. */
  signInAgain(): Promise<void>;
}

export type ConnectSignedIn = (options: SignInOptions) => Promise<SignedInConnection>;

function recorder() {
  const exchanges: Exchange[] = [];
  const record = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(url, init);
    const response = await fetch(request.clone());
    exchanges.push({ request, response });
    return response;
  };
  return { exchanges, record };
}

/** Connects; when the server wants a sign-in, the person signs in and the client connects again. */
export const connectSignedInV2: ConnectSignedIn = async ({ mcp, provider }) => {
  const { exchanges, record } = recorder();
  const open = async () => {
    const transport = new TransportV2(mcp, { authProvider: provider, fetch: record });
    const client = new ClientV2(clientInfo);
    const signInAgain = () => transport.finishAuth(provider.returned());
    try {
      await client.connect(transport);
    } catch (error) {
      if (!UnauthorizedV2.isInstance(error)) throw error;
      await signInAgain();
      return undefined;
    }
    return {
      client,
      exchanges,
      signInAgain,
      sessionId: () => transport.sessionId,
      protocolVersion: () => client.getNegotiatedProtocolVersion(),
      terminate: () => transport.terminateSession(),
    };
  };
  return (await open()) ?? (await open()) ?? notSignedIn();
};

export const connectSignedInV1: ConnectSignedIn = async ({ mcp, provider }) => {
  const { exchanges, record } = recorder();
  const open = async () => {
    const transport = new TransportV1(mcp, { authProvider: provider, fetch: record });
    const client = new ClientV1(clientInfo);
    const signInAgain = () => transport.finishAuth(provider.returned().get("code") ?? "");
    try {
      await client.connect(transport);
    } catch (error) {
      if (!(error instanceof UnauthorizedV1)) throw error;
      await signInAgain();
      return undefined;
    }
    return {
      client,
      exchanges,
      signInAgain,
      sessionId: () => transport.sessionId,
      protocolVersion: () => transport.protocolVersion,
      terminate: () => transport.terminateSession(),
    };
  };
  return (await open()) ?? (await open()) ?? notSignedIn();
};

function notSignedIn(): never {
  throw new Error("The client is unauthorized after it has signed in");
}
