// `node test/drizzle/migrate-in.ts URL FOLDER`: db:migrate with other files, as a process that can be killed.
import { migrate } from "../../drizzle/migrate.ts";

const [connectionString = "", folder = ""] = process.argv.slice(2);
await migrate({ connectionString }, folder);
