// A stream of the SDK as one JSON answer, for clients that take no streams. Of clients up to 2025-11-25 the SDK's transport
// does this itself; for later ones it would print a warning at each request.

/** The last message of a stream, which answers the request. What a tool reports on the way is left out. */
export async function jsonAnswerOf(response: Response): Promise<Response> {
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) return response;
  const messages = [...(await response.text()).matchAll(/^data: (.+)$/gm)];
  const answer = messages.at(-1)?.[1];
  if (answer === undefined) throw new Error("The stream has no answer");
  return new Response(answer, { status: response.status, headers: { "Content-Type": "application/json" } });
}
