// Writes answers: every one carries the CORS header and a request id of its own, as Neon's do.
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { errorBody, NeonError } from "./errors.ts";

export interface Answer {
  status: number;
  /** application/json when left out. */
  contentType?: string;
  headers?: Record<string, string>;
  body: string;
  /** Whether the connection ends with it, however much of the request is still to come. */
  isLast?: boolean;
}

/** The answer to a failure; one that is none of Neon's is a defect of this server and looks different. */
export function errorAnswer(error: unknown): Answer {
  if (error instanceof NeonError) {
    return { status: error.status, body: errorBody(error), isLast: error.status === 413 };
  }
  return { status: 500, body: JSON.stringify({ msg: `the local Neon failed: ${String(error)}` }) };
}

export function send(response: ServerResponse, answer: Answer): void {
  writeHead(response, answer);
  response.end(answer.body);
}

/** Sends the head and the first half of the body, then closes the connection. */
export function sendHalf(response: ServerResponse, answer: Answer): void {
  writeHead(response, answer);
  const body = Buffer.from(answer.body);
  response.write(body.subarray(0, body.length / 2), () => response.destroy());
}

function writeHead(response: ServerResponse, answer: Answer): void {
  const { status, contentType = "application/json", headers = {}, body, isLast = false } = answer;
  response.writeHead(status, {
    "Content-Type": contentType,
    "Content-Length": Buffer.byteLength(body),
    "Access-Control-Allow-Origin": "*",
    "neon-request-id": randomUUID(),
    ...(isLast && { Connection: "close" }),
    ...headers,
  });
}
