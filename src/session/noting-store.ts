// Stores that tell that sessions are being opened or ended, which cleanup must know to sleep. Also when that fails: it may
// have been committed.
import type { AdminStore } from "./admin-store.ts";
import type { SessionStore } from "./store.ts";

type NoteUse = () => Promise<void>;

async function noted<T>(noteUse: NoteUse, work: Promise<T>): Promise<T> {
  const [outcome] = await Promise.allSettled([work, noteUse()]);
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}

export function createNotingStore(store: SessionStore, noteUse: NoteUse): SessionStore {
  return {
    ...store,
    open: (session) => noted(noteUse, store.open(session)),
    end: (key, principal) => noted(noteUse, store.end(key, principal)),
    endOthers: (principal, exceptKey) => noted(noteUse, store.endOthers(principal, exceptKey)),
  };
}

export function createNotingAdminStore(store: AdminStore, noteUse: NoteUse): AdminStore {
  return {
    ...store,
    end: (handle) => noted(noteUse, store.end(handle)),
    endAll: (principal) => noted(noteUse, store.endAll(principal)),
  };
}
