// A response whose end is noticed: its server has closed it, or its client has left. Pure.

/**
 * The same response. `onEnd` is called once, when all of it has been taken, or nobody takes the rest.
 * @param signal aborted when the client leaves, where the platform says so.
 */
export function watched(
  response: Response,
  signal: AbortSignal,
  onEnd: (isTaken: boolean) => void,
): Response {
  if (response.body === null) return response;
  const reader = response.body.getReader();
  let isEnded = false;
  const end = (isTaken: boolean) => {
    if (isEnded) return;
    isEnded = true;
    signal.removeEventListener("abort", leave);
    onEnd(isTaken);
  };
  const leave = () => end(false);
  signal.addEventListener("abort", leave);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (!done) return controller.enqueue(value);
      end(true);
      controller.close();
    },
    async cancel(reason) {
      leave();
      await reader.cancel(reason);
    },
  });
  return new Response(body, response);
}
