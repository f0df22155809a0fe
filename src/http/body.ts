// Reads the body of a request, and no more of it than a body may have.
import type { Context } from "hono";
import { AppError } from "./errors.ts";

/** A tool call carries text. 1 MiB is a hundredth of what Workers accept. */
export const BODY_BYTES = 1024 * 1024;

/** Whether a request says by itself that its body is too large. */
export function isAnnouncedTooLarge(request: Request): boolean {
  return Number(request.headers.get("Content-Length") ?? 0) > BODY_BYTES;
}

// Workers do not decode the bodies of requests.
const CODED = /^(?:x-)?(?:gzip|compress)$|^(?:deflate|br|zstd)$/i;

/**
 * @throws AppError `unsupported_media_type` for a compressed body; `payload_too_large` before anything is read when the length
 *   is announced, else at the first chunk beyond.
 */
export async function readBytes(c: Context): Promise<Uint8Array> {
  const { raw } = c.req;
  const codings = raw.headers.get("Content-Encoding")?.split(",") ?? [];
  if (codings.some((coding) => CODED.test(coding.trim())))
    throw new AppError(
      "unsupported_media_type",
      "The body must not be compressed: Content-Encoding must be left out",
    );
  if (isAnnouncedTooLarge(raw)) throw new AppError("payload_too_large");
  if (!raw.headers.has("Content-Length") || raw.headers.has("Transfer-Encoding")) {
    const body = await readChunks(raw.body);
    // So that a handler may read it, too.
    c.req.raw = new Request(raw, { method: raw.method, body });
  }
  const bytes = new Uint8Array(await c.req.arrayBuffer());
  // A caller without a network between may announce anything.
  if (bytes.length > BODY_BYTES) throw new AppError("payload_too_large");
  return bytes;
}

async function readChunks(stream: ReadableStream<Uint8Array> | null): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream ?? []) {
    size += chunk.length;
    // Leaving the loop cancels the stream.
    if (size > BODY_BYTES) throw new AppError("payload_too_large");
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}
