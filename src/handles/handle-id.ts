// The id of a handle, which its client alone knows, and the names that others have for it. Pure.
import { keyOfSession, nameOfSession } from "../session/session.ts";

// A form that language models copy without mistakes.
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A new random id: 122 bits. */
export const createHandleId = (): string => crypto.randomUUID();

/** Whether a text has the form of an id. Any other text is unknown without a query. */
export const isHandleId = (text: string): boolean => ID.test(text);

/** The key in the database of an id: its SHA-256, in hex. */
export const keyOfHandle = (id: string): Promise<string> => keyOfSession(id);

/** The name of a handle in logs. It tells handles apart, but opens none. */
export const nameOfHandle = (key: string): string => nameOfSession(key);
