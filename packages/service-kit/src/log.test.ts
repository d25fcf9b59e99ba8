import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { createLogger } from "./log.ts";

test("an error that carries the command of a refused login shows no password", () => {
  const lines: string[] = [];
  const sink = new Writable({
    write(line, _encoding, done) {
      lines.push(String(line));
      done();
    },
  });
  const log = createLogger(
    { SERVICE_NAME: "test", ENVIRONMENT: "test", INSTANCE_ID: "one", LOG_LEVEL: "debug" },
    sink,
  );
  const err = Object.assign(new Error("WRONGPASS"), { command: { name: "auth", args: ["cart", "hunter2"] } });
  log.child({ traceId: "1" }).debug({ err }, "redis");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ service: "test", err: { message: "WRONGPASS" } });
  expect(lines.join("")).not.toContain("hunter2");
});
