// How a handle is written on the pages. Pure.
import { KIND_CHARACTERS, type ListedHandle } from "../admin/listed-kept.ts";
import { badge, count, duration, soft, time, untrusted } from "./elements.ts";
import { bytes, type KeptWords, stateBadge } from "./kept-page.ts";
import { textField } from "./list.ts";

export const handleWords: KeptWords<ListedHandle> = {
  noun: "handle",
  verb: "End",
  done: "ended",
  title: "Handles",
  path: "/admin/handles",
  fields: (value) => [textField({ name: "kind", label: "Kind", value: value("kind") }, KIND_CHARACTERS)],
  columns: [
    { label: "Kind", cell: ({ kind }) => untrusted(kind) },
    { label: "State", cell: (row) => (row.is_ended ? badge("ended") : stateBadge(row)) },
    { label: "Last used", cell: ({ last_used_at: lastUsed }) => time(lastUsed) },
  ],
  more: ({ value_bytes: size, version, sliding_seconds: sliding }) => [
    ["Its value", bytes(size, "")],
    ["Version", count(version)],
    ["Each use keeps it for", sliding === null ? soft("no longer") : duration(sliding * 1000)],
  ],
  isEndable: ({ state }) => state === "active",
  afterwards:
    "A client that comes with an ended handle is told that it is not known. What was kept in it is lost, and nothing brings it back.",
};
