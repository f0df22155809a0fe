// The page of the history. One statement.
import * as z from "zod";
import { frameOf, type PageContext } from "./guard.ts";
import { historyPage } from "./history-page.ts";
import { type HistoryStore, historyWindows } from "./history-store.ts";
import { maySee } from "./layout.ts";
import { asked, show } from "./list-endpoint.ts";

/** The handler @throws AppError and DatabaseFault. */
export function historyEndpoint({ store }: { store: HistoryStore }) {
  const query = z.object({
    window: z.enum(historyWindows, { error: `must be one of ${historyWindows.join(", ")}` }).default("day"),
  });
  return async (c: PageContext) => {
    const { window } = asked(c, query);
    const history = await store.history(window);
    const maySeeRuns = maySee(frameOf(c, "").viewer, "admin");
    return show(c, "History", historyPage({ window, history, maySeeRuns }));
  };
}
