// Stores that report activity: sessions are being opened or ended, streams, handles or tasks are kept, which idle sleep must know. An
// operation that fails is reported as well: it may have been committed.
import type { KeptStore } from "../admin/kept-store.ts";
import type { SessionsStore } from "../admin/sessions-store.ts";
import type { HandleStore } from "../handles/store.ts";
import type { MarksStore } from "../streams/marks-store.ts";
import type { StreamStore } from "../streams/store.ts";
import type { TaskStore } from "../tasks/store.ts";
import type { SessionStore } from "./store.ts";

type RecordActivity = () => Promise<void>;

export function createActivityStore(store: SessionStore, recordActivity: RecordActivity): SessionStore {
  return {
    ...store,
    open: (session) => reported(recordActivity, store.open(session)),
    end: (key, principal) => reported(recordActivity, store.end(key, principal)),
    endOthers: (principal, exceptKey) => reported(recordActivity, store.endOthers(principal, exceptKey)),
  };
}

export function createAdminActivityStore(
  store: SessionsStore,
  recordActivity: RecordActivity,
): SessionsStore {
  return {
    ...store,
    end: (handle) => reported(recordActivity, store.end(handle)),
    endAll: (principal) => reported(recordActivity, store.endAll(principal)),
  };
}

export function createKeptActivityStore<Row, Filter>(
  store: KeptStore<Row, Filter>,
  recordActivity: RecordActivity,
): KeptStore<Row, Filter> {
  return { ...store, end: (key) => reported(recordActivity, store.end(key)) };
}

export function createStreamActivityStore(store: StreamStore, recordActivity: RecordActivity): StreamStore {
  return {
    ...store,
    append: (key, events) => reported(recordActivity, store.append(key, events)),
    replay: (...cursor) => reported(recordActivity, store.replay(...cursor)),
    cancel: (...call) => reported(recordActivity, store.cancel(...call)),
  };
}

export function createMarksActivityStore(store: MarksStore, recordActivity: RecordActivity): MarksStore {
  return { make: (...mark) => reported(recordActivity, store.make(...mark)) };
}

export function createHandleActivityStore(store: HandleStore, recordActivity: RecordActivity): HandleStore {
  return {
    ...store,
    make: (handle) => reported(recordActivity, store.make(handle)),
    end: (key, owner) => reported(recordActivity, store.end(key, owner)),
  };
}

/** @param recordDue records that a task is to be started: what the cron events that pick tasks up must know. */
export function createTaskActivityStore(
  store: TaskStore,
  recordActivity: RecordActivity,
  recordDue: RecordActivity,
): TaskStore {
  const recordBoth = async () => void (await Promise.all([recordActivity(), recordDue()]));
  return {
    ...store,
    create: (task) => reported(recordBoth, store.create(task)),
    answer: (...answers) => reported(recordDue, store.answer(...answers)),
  };
}

async function reported<T>(recordActivity: RecordActivity, work: Promise<T>): Promise<T> {
  const [outcome] = await Promise.allSettled([work, recordActivity()]);
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}
