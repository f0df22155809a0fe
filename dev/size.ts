// `npm run size`: how many files and lines each room has, and its longest file.
import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

process.chdir(dirname(import.meta.dirname));

const linesOf = (file: string) => readFileSync(file, "utf8").split("\n").length - 1;

const files = ["src", "dev", "drizzle", "examples", "test"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).map(
    (name) => `${folder}/${name.replaceAll("\\", "/")}`,
  ),
);
const code = files.filter((file) => /\.(ts|sql|py)$/.test(file) && !file.endsWith(".d.ts"));

/** The rooms of src and the routines by themselves; of the rest, the whole folder. */
function roomOf(file: string): string {
  const [top = "", room = "", rest] = file.split("/");
  if (top === "src") return rest === undefined ? "src/" : `src/${room}/`;
  return top === "drizzle" && rest !== undefined ? `drizzle/${room}/` : `${top}/`;
}

const rooms = Map.groupBy(code, roomOf);
console.log("| room | files | lines | longest file |\n| --- | ---: | ---: | --- |");
for (const [room, members] of [...rooms].toSorted(([a], [b]) => a.localeCompare(b))) {
  const [longest = ""] = members.toSorted((a, b) => linesOf(b) - linesOf(a));
  const total = members.reduce((sum, file) => sum + linesOf(file), 0);
  console.log(
    `| \`${room}\` | ${members.length} | ${total} | \`${longest.slice(room.length)}\`, ${linesOf(longest)} |`,
  );
}
