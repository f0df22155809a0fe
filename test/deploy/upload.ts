// What wrangler uploads: metadata and modules, as the parts of a form.
import * as z from "zod";

const bindings = z.looseObject({ name: z.string(), type: z.string(), text: z.string().optional() });
const metadatas = z.looseObject({
  main_module: z.string(),
  bindings: z.array(bindings),
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()).default([]),
  keep_bindings: z.array(z.string()).optional(),
  // A version that is only uploaded has none: it is no part of it.
  observability: z.unknown().optional(),
});

export type Binding = z.infer<typeof bindings>;

export interface Part {
  name: string;
  /** The media type, which says how the Worker imports it. */
  type: string;
  bytes: Buffer;
}

export interface Upload {
  metadata: z.infer<typeof metadatas>;
  /** Every part but the metadata. */
  parts: Part[];
}

export async function readUpload(contentType: string, body: Buffer): Promise<Upload> {
  const form = await new Response(body, { headers: { "Content-Type": contentType } }).formData();
  const metadata = metadatas.parse(JSON.parse(z.string().parse(form.get("metadata"))));
  const parts = await Promise.all(
    [...form]
      .filter((entry): entry is [string, File] => typeof entry[1] !== "string")
      .map(async ([name, file]) => ({ name, type: file.type, bytes: Buffer.from(await file.arrayBuffer()) })),
  );
  return { metadata, parts };
}

export const MODULE = "application/javascript+module";
export const SOURCE_MAP = "application/source-map";

/** The one module of a Worker that is bundled. @throws Error when there are others. */
export function scriptOf({ parts, metadata }: Upload): Buffer {
  const modules = parts.filter(({ type }) => type !== SOURCE_MAP);
  const [main] = modules;
  if (modules.length !== 1 || main?.type !== MODULE || main.name !== metadata.main_module) {
    throw new Error(`Not one module: ${modules.map(({ name, type }) => `${name} (${type})`).join(", ")}`);
  }
  return main.bytes;
}
