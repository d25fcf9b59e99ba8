import { expect, test } from "vitest";
import { z } from "zod";
import { listenPort, port, readEnvironment } from "./environment.ts";

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

test("a port is a number that is written down, and 0 only where one may be picked", () => {
  const ports = z.object({ PORT: listenPort, STORE_PORT: port });
  expect(readEnvironment(ports, { PORT: "0", STORE_PORT: "3306" })).toEqual({ PORT: 0, STORE_PORT: 3306 });
  for (const STORE_PORT of ["", " ", "0", "65536", "1e3", "-1", "0x10", "80.5"]) {
    expect(() => readEnvironment(ports, { PORT: "1", STORE_PORT }), STORE_PORT).toThrow("STORE_PORT: ");
  }
  expect(() => readEnvironment(ports, { PORT: "", STORE_PORT: "1" })).toThrow(
    "PORT: must be the number of a port",
  );
});
