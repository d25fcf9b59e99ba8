import { createRequire } from "node:module";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { ProviderClient, type Refusal } from "./client.ts";
import { Engine } from "./engine.ts";
import { type Context, InitializationFailed, type ResourceHandler } from "./provider.ts";
import { implementation } from "./serve.ts";
import { unknown } from "./values.ts";

const require = createRequire(import.meta.url);
const { ResourceProviderService } = require("@pulumi/pulumi/proto/provider_grpc_pb.js");

const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value,
});

const type = "shelf:index/box:Box";
const urn = `urn:pulumi:dev::project::${type}::box`;

interface Box {
  label: string;
  items: Record<string, string>;
  size: number;
}

/** The things that the provider keeps, and what its handler last saw. */
const shelf = new Map<string, Box>();
let seen: unknown;
let context: Context | undefined;

/** A resource whose state is a map of this process. */
const boxHandler: ResourceHandler<Box, Box & { token: string }> = {
  type,
  inputs: z.strictObject({
    label: z.string().min(1),
    items: z.record(z.string(), z.string()).default({}),
    size: z.number().default(1),
  }),
  replaceOn: ["label"],
  secretOutputs: ["token"],

  async create(given, { name, inputs }) {
    seen = inputs;
    context = given;
    if (inputs.label === "broken") {
      throw new InitializationFailed(name, { ...inputs, token: "t0ken" } as never, ["the lid is missing"]);
    }
    shelf.set(name, inputs);
    return { id: name, outputs: { ...inputs, token: "t0ken" } };
  },

  async read(_context, { id }) {
    const found = shelf.get(id);
    return found && { id, inputs: found, outputs: { ...found, token: "t0ken" } };
  },

  async update(_context, { id, inputs }) {
    shelf.set(id, inputs);
    return { outputs: { ...inputs, token: "t0ken" } };
  },

  async delete(_context, { id }) {
    if (!shelf.delete(id)) {
      throw new Error(`There is no box ${id}.`);
    }
  },
};

const server = new grpc.Server();
let client: ProviderClient;

beforeAll(async () => {
  const provider = {
    name: "shelf",
    version: "1.2.3",
    config: z.strictObject({ room: z.string(), key: z.string().optional() }),
    resources: [boxHandler],
    functions: [
      {
        token: "shelf:index/weigh:weigh",
        arguments: z.strictObject({ label: z.string() }),
        secretResults: ["grams"],
        call: async (given: Context, { label }: { label: string }) => ({
          grams: label.length,
          room: (given.config as { room: string }).room,
        }),
      },
    ],
  };
  server.addService(ResourceProviderService, implementation(provider, new Engine()));
  const bind = promisify(server.bindAsync.bind(server)) as (
    address: string,
    credentials: grpc.ServerCredentials,
  ) => Promise<number>;
  client = new ProviderClient(await bind("127.0.0.1:0", grpc.ServerCredentials.createInsecure()));
});

afterAll(() => {
  client.close();
  server.forceShutdown();
});

test("it says what it is and that it takes secrets and previews", async () => {
  expect(await client.call("GetPluginInfo")).toEqual({ version: "1.2.3" });
  expect(await client.call("Handshake")).toMatchObject({ acceptSecrets: true });
  expect(JSON.parse((await client.call("GetSchema")).schema)).toMatchObject({
    name: "shelf",
    resources: { [type]: {} },
  });
});

test("configuration that is wrong is named; Pulumi's own settings in it are passed over", async () => {
  const news = { room: 1, version: "1.2.3", __internal: {} };
  expect((await client.call("CheckConfig", { urn: "", news })).failures).toMatchObject([
    { property: "room" },
  ]);
  await expect(client.call("Configure", { args: { rom: "x" } })).rejects.toThrow(/room/);
  const args = { room: "attic", key: secret("k3y"), version: "1.2.3" };
  expect(await client.call("Configure", { args })).toMatchObject({
    acceptSecrets: true,
    supportsPreview: true,
  });
  expect((await client.call("CheckConfig", { urn: "", news: args })).inputs.key).toEqual(secret("k3y"));
});

test("a changed setting is an update of the provider, never a replacement", async () => {
  const diff = await client.call("DiffConfig", {
    urn: "",
    olds: { room: "attic", version: "1.2.2" },
    news: { room: "cellar", version: "1.2.3" },
  });
  expect(diff).toMatchObject({ changes: "DIFF_SOME", diffs: ["room"] });
  expect(diff).not.toHaveProperty("replaces");
});

test("checked inputs have their defaults, and their secrets again", async () => {
  expect(
    (await client.call("Check", { urn, news: { label: "a", items: { key: secret("s3") } } })).inputs,
  ).toEqual({ label: "a", items: { key: secret("s3") }, size: 1 });
});

test("inputs that are wrong are reported by property", async () => {
  expect((await client.call("Check", { urn, news: { label: "", size: "big" } })).failures).toMatchObject([
    { property: "label" },
    { property: "size" },
  ]);
});

test("a type that the provider doesn't have is named, with those that it has", async () => {
  const call = client.call("Check", { urn: "urn:pulumi:dev::project::shelf:index/bag:Bag::bag", news: {} });
  await expect(call).rejects.toThrow(/no resource type shelf:index\/bag:Bag; it has: shelf:index\/box:Box/);
});

test("the difference has every path, and the properties that replace", async () => {
  const both = new Set(["label", "items"]);
  const diff = await client.call("Diff", {
    id: "box",
    urn,
    olds: { label: "a", items: { key: secret("1") }, size: 1, token: "t0ken" },
    oldInputs: { label: "a", items: { key: secret("1") }, size: 1 },
    news: { label: "b", items: { key: secret("2"), more: "3" }, size: 1 },
  });
  expect(diff).toEqual({
    changes: "DIFF_SOME",
    diffs: expect.toSatisfy((names: string[]) => new Set(names).symmetricDifference(both).size === 0),
    replaces: ["label"],
    deleteBeforeReplace: true,
    hasDetailedDiff: true,
    detailedDiff: {
      label: { kind: "UPDATE_REPLACE" },
      "items.key": { kind: "UPDATE" },
      "items.more": { kind: "ADD" },
    },
  });
});

test("a value that was secret and is not any more, and else the same, is no difference", async () => {
  const inputs = { label: "a", items: { key: "1" }, size: 1 };
  const olds = { ...inputs, items: secret({ key: "1" }) };
  expect(await client.call("Diff", { id: "box", urn, olds, oldInputs: olds, news: inputs })).toEqual({
    changes: "DIFF_NONE",
    hasDetailedDiff: true,
  });
});

test("ignoreChanges leaves out a property with all that is in it, and no other", async () => {
  const diff = await client.call("Diff", {
    id: "box",
    urn,
    olds: {},
    oldInputs: { label: "a", items: { a: "1" }, size: 1 },
    news: { label: "a", items: { a: "2" }, size: 2 },
    ignoreChanges: ["items", "siz"],
  });
  expect(diff.detailedDiff).toEqual({ size: { kind: "UPDATE" } });
});

test("a preview creates nothing, and keeps the secrets", async () => {
  const properties = { label: unknown, items: { key: secret("s3") }, size: 1 };
  const answer = await client.call("Create", { urn, properties, preview: true });
  expect(answer).toEqual({ properties });
  expect(shelf.size).toBe(0);
});

test("a handler sees plain values; a property that held a secret, and one that always does, come out secret", async () => {
  const properties = { label: "a", items: { key: secret("s3"), plain: "x" }, size: 1 };
  const { id, properties: outputs } = await client.call("Create", { urn, properties });
  expect(seen).toEqual({ label: "a", items: { key: "s3", plain: "x" }, size: 1 });
  expect(id).toBe("box");
  expect(outputs).toEqual({
    label: "a",
    items: secret({ key: "s3", plain: "x" }),
    size: 1,
    token: secret("t0ken"),
  });
});

test("a preview of an update marks what the state holds that is always secret", async () => {
  const inputs = { label: "a", items: { key: secret("s4") }, size: 2 };
  const { properties } = await client.call("Update", {
    id: "box",
    urn,
    olds: { label: "a", items: secret({ key: "s3" }), size: 1, token: secret("t0ken") },
    oldInputs: { label: "a", items: secret({ key: "s3" }), size: 1 },
    news: inputs,
    preview: true,
  });
  expect(properties.token).toEqual(secret("t0ken"));
  expect(properties.items).toEqual(secret({ key: "s4" }));
  expect(shelf.get("box")?.size).toBe(1);
});

test("an update answers with secrets marked", async () => {
  const { properties } = await client.call("Update", {
    id: "box",
    urn,
    olds: { label: "a", items: secret({ key: "s3" }), size: 1, token: secret("t0ken") },
    oldInputs: { label: "a", items: secret({ key: "s3" }), size: 1 },
    news: { label: "a", items: { key: secret("s4") }, size: 2 },
  });
  expect(properties).toEqual({
    label: "a",
    items: secret({ key: "s4" }),
    size: 2,
    token: secret("t0ken"),
  });
});

test("what is read keeps the marks that the state had, in inputs too; what is gone has no id", async () => {
  const known = { label: "a", items: secret({ key: "s4" }), size: 2 };
  const { id, properties, inputs } = await client.call("Read", {
    id: "box",
    urn,
    inputs: known,
    properties: { ...known, token: secret("t0ken") },
  });
  expect(id).toBe("box");
  expect(properties).toEqual({ ...known, token: secret("t0ken") });
  expect(inputs).toEqual(known);
  expect(await client.call("Read", { id: "gone", urn, inputs: {}, properties: {} })).toEqual({});
});

test("a resource that exists and isn't as it should be comes with its error, secrets marked", async () => {
  const refusal: Refusal = await client
    .call("Create", { urn, properties: { label: "broken", items: { key: secret("s3") }, size: 1 } })
    .then(
      () => expect.fail("it was created"),
      (error) => error,
    );
  expect(refusal.message).toBe("the lid is missing");
  expect(refusal.initialization).toEqual({
    id: "box",
    reasons: ["the lid is missing"],
    properties: { label: "broken", items: secret({ key: "s3" }), size: 1, token: secret("t0ken") },
  });
});

test("an error of a handler reaches the engine as its message", async () => {
  await expect(client.call("Delete", { id: "none", urn, properties: {} })).rejects.toThrow(
    "There is no box none.",
  );
});

test("delete removes", async () => {
  await client.call("Delete", { id: "box", urn, properties: {} });
  expect(shelf.size).toBe(0);
});

test("a function answers with the provider's configuration at hand; a wrong argument is named", async () => {
  const tok = "shelf:index/weigh:weigh";
  expect(await client.call("Invoke", { tok, args: { label: "abc" } })).toEqual({
    return: { grams: secret(3), room: "attic" },
  });
  expect((await client.call("Invoke", { tok, args: {} })).failures).toMatchObject([{ property: "label" }]);
  await expect(client.call("Invoke", { tok: "shelf:index/no:no", args: {} })).rejects.toThrow(/no function/);
});

test("Cancel reaches the handlers that run, and those that come after", async () => {
  expect(context?.signal.aborted).toBe(false);
  await client.call("Cancel");
  expect(context?.signal.aborted).toBe(true);
});
