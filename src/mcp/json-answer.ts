// A stream of the SDK as one JSON answer, for clients that take no streams. Of clients up to 2025-11-25 the SDK's transport
// does this itself; for later ones it would print a warning at each request.
import { isStream, messageTextsOf } from "../session/protocol.ts";

/** What a stream answers: the response, or, for a batch, the list of them. What a tool reports on the way is left out. */
export async function jsonAnswerOf(response: Response): Promise<Response> {
  if (!isStream(response)) return response;
  const answers = (await messageTextsOf(response)).filter(isAnswer);
  const [answer] = answers;
  if (answer === undefined) throw new Error("The stream has no answer");
  const body = answers.length === 1 ? answer : `[${answers.join(",")}]`;
  return new Response(body, { status: response.status, headers: { "Content-Type": "application/json" } });
}

function isAnswer(text: string): boolean {
  const message: unknown = JSON.parse(text);
  return typeof message === "object" && message !== null && ("result" in message || "error" in message);
}
