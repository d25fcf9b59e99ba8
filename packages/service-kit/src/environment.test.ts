import { expect, test } from "vitest";
import { z } from "zod";
import { readEnvironment } from "./environment.ts";

const schema = z.object({
  PORT: z.coerce.number().int(),
  PASSWORD: z.string().min(8),
  LEVEL: z.string().default("info"),
});

test("reads typed values and defaults", () => {
  expect(readEnvironment(schema, { PORT: "80", PASSWORD: "long enough", OTHER: "x" })).toEqual({
    PORT: 80,
    PASSWORD: "long enough",
    LEVEL: "info",
  });
});

test("names every variable that is missing or wrong, and shows no value", () => {
  const read = () => readEnvironment(schema, { PASSWORD: "short" });
  expect(read).toThrow("PORT is not set");
  expect(read).toThrow("PASSWORD: ");
  expect(read).not.toThrow("short");
});
