// Paths here are relative to the project root, where npm runs drizzle-kit.
import { defineConfig } from "drizzle-kit";

export default defineConfig({ dialect: "postgresql", schema: "src/db/schema.ts", out: "drizzle" });
