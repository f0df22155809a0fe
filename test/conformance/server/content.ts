// The contents that tools, prompts and resources have in common.

/** A PNG of one blue pixel, in base64. */
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mMwTpsJAAICATNoejH4AAAAAElFTkSuQmCC";

/** A WAV file of one silent sample, in base64. */
export const SILENCE = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA==";

export const text = (value: string) => ({ type: "text" as const, text: value });

export const image = { type: "image" as const, data: PIXEL, mimeType: "image/png" };

/** The result of a tool that says one thing. */
export const says = (value: string) => ({ content: [text(value)] });
