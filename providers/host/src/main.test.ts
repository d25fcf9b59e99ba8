import { spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { until } from "../../../tests/servers/agent.ts";
import { ProviderClient, startProvider } from "../../base/src/client.ts";
import { type Identity, identify, isAlive } from "./identity.ts";

const plugin = join(import.meta.dirname, "..", "pulumi-resource-host");

test("the plugin serves what Pulumi.yaml names it for", async () => {
  await using provider = await startProvider(join(import.meta.dirname, "main.ts"));
  const { schema } = await provider.client.call("GetSchema");
  expect(Object.keys(JSON.parse(schema).resources)).toEqual([
    "host:index/process:Process",
    "host:index/bundle:Bundle",
    "host:index/secret:Secret",
  ]);
});

test("the plugin ends with the engine that started it, even when that was killed", async () => {
  // The engine's part: starts the plugin, hands on its port and its pid, and stays.
  const engine = spawn(
    process.execPath,
    [
      "-e",
      `const plugin = require("node:child_process").spawn(process.argv[1], { stdio: ["ignore", "inherit", "inherit"] });
       console.log(plugin.pid);
       setInterval(() => undefined, 1000);`,
      plugin,
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) },
    },
  );
  const lines = createInterface(engine.stdout)[Symbol.asyncIterator]();
  const identity = identify(Number((await lines.next()).value)) as Identity;
  try {
    const client = new ProviderClient(Number((await lines.next()).value));
    expect(await client.call("GetPluginInfo")).toEqual({ version: "0.1.0" });
    client.close();
    const exited = once(engine, "exit");
    engine.kill("SIGKILL");
    await exited;
    await until("the plugin to end", () => !isAlive(identity), 5000);
  } finally {
    if (isAlive(identity)) {
      process.kill(identity.pid, "SIGKILL");
    }
  }
});
