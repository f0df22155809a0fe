// What a task is, and its id. Pure.
import { createSessionId, isSessionId, keyOfSession, nameOfSession } from "../session/session.ts";

/** Only the first two ever change (SEP-2663). `failed` is for errors of the protocol: what a tool says of a mistake is a result. */
export const taskStatuses = ["working", "input_required", "completed", "cancelled", "failed"] as const;
export type TaskStatus = (typeof taskStatuses)[number];

/** What becomes of a task when whoever runs it is lost. */
export const onLostChoices = ["retry", "fail"] as const;
export type OnLost = (typeof onLostChoices)[number];

/** The extension, as clients and servers declare it (SEP-2663). */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

/** An error of JSON-RPC. */
export interface TaskError {
  code: number;
  message: string;
  data?: unknown;
}

/** The end of a task whose runner is lost, and that is not begun again. */
export const LOST_ERROR: TaskError = { code: -32603, message: "The task was lost while it was running" };

/** A new random id, as a session has one. */
export const createTaskId = (): string => createSessionId();

/** Whether a text has the form of an id. Any other text is unknown without a query. */
export const isTaskId = (text: string): boolean => isSessionId(text);

/** The key in the database of an id: its SHA-256, in hex. */
export const keyOfTask = (id: string): Promise<string> => keyOfSession(id);

/** The name of a task in logs. It tells tasks apart, but opens none. */
export const nameOfTask = (key: string): string => nameOfSession(key);

/** The key of a question on the wire. It never comes again in the task: `leg` is another one each time that it asks. */
export const questionKey = (leg: number, name: string): string =>
  `${leg}.${encodeURIComponent(name.toWellFormed())}`;

const QUESTION_KEY = /^\d{1,10}\.[\w.!~*'()%-]*$/;

/** Whether a question can have this key. */
export const isQuestionKey = (key: string): boolean => QUESTION_KEY.test(key);

/** The name that the tool has given to a question. */
export const nameOfQuestion = (key: string): string => decodeURIComponent(key.slice(key.indexOf(".") + 1));
