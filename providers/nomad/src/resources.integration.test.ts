import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type NomadServer, startNomad } from "../../../tests/servers/nomad.ts";
import { type Method, type StartedProvider, startProvider } from "../../base/src/client.ts";
import { freePorts } from "../../host/src/ports.ts";

const types = {
  variable: "nomad:index/variable:Variable",
  namespace: "nomad:index/namespace:Namespace",
  policy: "nomad:index/aclPolicy:AclPolicy",
  token: "nomad:index/aclToken:AclToken",
  bootstrap: "nomad:index/aclBootstrap:AclBootstrap",
  scheduler: "nomad:index/schedulerConfig:SchedulerConfig",
};

const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value,
});

let nomad: NomadServer;
let provider: StartedProvider;

beforeAll(async () => {
  nomad = await startNomad();
  provider = await startProvider(join(import.meta.dirname, "main.ts"));
  await configure(provider, nomad.bootstrapToken);
});

afterAll(async () => {
  await provider?.[Symbol.asyncDispose]();
  await nomad?.stop();
});

function configure({ client }: StartedProvider, token: string, address = nomad.address) {
  return client.call("Configure", { args: { address, token } });
}

function call(method: Method, type: keyof typeof types, fields: object, { client } = provider) {
  return client.call(method, { urn: `urn:pulumi:dev::project::${types[type]}::it`, ...fields });
}

/** Checks and creates, as Pulumi does, and says how to go on with it. */
async function create(type: keyof typeof types, news: object) {
  const { inputs, failures } = await call("Check", type, { news });
  expect(failures).toBeUndefined();
  const { id, properties } = await call("Create", type, { properties: inputs });
  return {
    id: id as string,
    inputs,
    properties,
    read: () => call("Read", type, { id, inputs, properties }),
    update: (news: object) => call("Update", type, { id, olds: properties, oldInputs: inputs, news }),
    remove: () => call("Delete", type, { id, properties, oldInputs: inputs }),
  };
}

/** What Nomad answers, without the provider. */
async function api(
  path: string,
  token = nomad.bootstrapToken,
  options: { method?: string; body?: object } = {},
) {
  const response = await fetch(`${nomad.address}/v1/${path}`, {
    method: options.method ?? "GET",
    headers: { "x-nomad-token": token },
    body: options.body && JSON.stringify(options.body),
  });
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the answer that it expects
  return { status: response.status, text, json: () => JSON.parse(text) as any };
}

test("a variable is written, changed and removed; its items come out secret even where they went in plain", async () => {
  const variable = await create("variable", { path: "nomad/jobs/mysql", items: { password: "s3cret" } });
  expect(variable.id).toBe("default/nomad/jobs/mysql");
  expect(variable.properties).toEqual({
    path: "nomad/jobs/mysql",
    namespace: "default",
    items: secret({ password: "s3cret" }),
  });
  expect((await api("var/nomad/jobs/mysql")).json().Items).toEqual({ password: "s3cret" });

  const { properties } = await variable.update({ ...variable.inputs, items: { user: secret("root") } });
  expect(properties.items).toEqual(secret({ user: "root" }));
  expect((await api("var/nomad/jobs/mysql")).json().Items).toEqual({ user: "root" });
  await variable.remove();
  expect((await api("var/nomad/jobs/mysql")).status).toBe(404);
  expect(await variable.read()).toEqual({});
  await variable.remove();
});

test("a variable is read and imported with secret items, in the inputs as well", async () => {
  const items = { password: "s3cret", empty: "" };
  await create("variable", { path: "shop/user_db", items });
  const imported = await call("Read", "variable", { id: "default/shop/user_db", inputs: {}, properties: {} });
  const state = { path: "shop/user_db", namespace: "default", items: secret(items) };
  expect(imported).toEqual({ id: "default/shop/user_db", inputs: state, properties: state });
});

test("a variable that was left by an interrupted run is adopted, with the wanted items", async () => {
  const body = { Path: "left", Namespace: "default", Items: { a: "old" } };
  await api("var/left", undefined, { method: "PUT", body });
  await create("variable", { path: "left", items: { a: "new" } });
  expect((await api("var/left")).json().Items).toEqual({ a: "new" });
});

test.each(["", "a b", "a?b", "a#b", "x".repeat(129)])("%j is no path of a variable", async (path) => {
  const { failures } = await call("Check", "variable", { news: { path, items: {} } });
  expect(failures).toEqual([{ property: "path", reason: "must be letters, digits and any of -_~/" }]);
});

test("another path replaces a variable, other items change it", async () => {
  const inputs = { path: "a", namespace: "default", items: secret({ x: "1" }) };
  const news = { path: "b", namespace: "default", items: secret({ x: "2" }) };
  const diff = await call("Diff", "variable", { id: "default/a", olds: inputs, oldInputs: inputs, news });
  expect(diff.detailedDiff).toEqual({ path: { kind: "UPDATE_REPLACE" }, "items.x": { kind: "UPDATE" } });
});

test("a namespace comes, changes and goes, with a variable of its own in it", async () => {
  const namespace = await create("namespace", { name: "shop", description: "the shop" });
  expect(namespace.id).toBe("shop");
  const variable = await create("variable", { path: "a", namespace: "shop", items: { x: "1" } });
  expect(variable.id).toBe("shop/a");
  expect((await variable.read()).properties).toMatchObject({ namespace: "shop", path: "a" });
  await namespace.update({ name: "shop", description: "a shop" });
  expect((await namespace.read()).properties).toEqual({ name: "shop", description: "a shop" });
  await variable.remove();
  await namespace.remove();
  expect(await namespace.read()).toEqual({});
  await namespace.remove();
  const wrong = await call("Check", "namespace", { news: { name: "not a name" } });
  expect(wrong.failures).toEqual([{ property: "name", reason: "must be letters, digits and dashes" }]);
});

test("the scheduler's configuration is changed, and left as it is when the resource goes", async () => {
  const before = (await api("operator/scheduler/configuration")).json().SchedulerConfig;
  const scheduler = await create("scheduler", { memoryOversubscriptionEnabled: true });
  const { ModifyIndex: _index, ...after } = (await api("operator/scheduler/configuration")).json()
    .SchedulerConfig;
  expect(after).toMatchObject({
    MemoryOversubscriptionEnabled: true,
    PreemptionConfig: before.PreemptionConfig,
    SchedulerAlgorithm: before.SchedulerAlgorithm,
  });
  await scheduler.remove();
  expect((await scheduler.read()).properties).toEqual({ memoryOversubscriptionEnabled: true });
  await scheduler.update({ memoryOversubscriptionEnabled: false });
  expect((await scheduler.read()).properties).toEqual({ memoryOversubscriptionEnabled: false });
});

test("a token may do what its policy says, and no more; its secret is marked", async () => {
  const rules = 'namespace "default" { variables { path "open/*" { capabilities = ["read", "list"] } } }';
  const policy = await create("policy", { name: "reader", rules });
  const token = await create("token", { name: "reader", policies: ["reader"] });
  const { secretId, accessorId } = token.properties;
  expect(secretId).toEqual(secret(expect.stringMatching(/^[0-9a-f-]{36}$/)));
  expect(accessorId).toBe(token.id);
  expect((await token.read()).properties).toEqual(token.properties);
  await create("variable", { path: "open/a", items: { x: "1" } });
  await create("variable", { path: "closed/a", items: { x: "1" } });
  expect((await api("var/open/a", secretId.value)).status).toBe(200);
  expect((await api("var/closed/a", secretId.value)).status).toBe(403);

  await policy.update({ name: "reader", description: "", rules: rules.replace("open/*", "closed/*") });
  expect((await api("var/open/a", secretId.value)).status).toBe(403);
  expect((await api("var/closed/a", secretId.value)).status).toBe(200);
  const other = await create("policy", { name: "other", rules: rules.replace("open/*", "open/b") });
  const { properties } = await token.update({ ...token.inputs, policies: ["other"] });
  expect(properties.secretId).toEqual(secretId);
  expect((await api("var/closed/a", secretId.value)).status).toBe(403);

  await token.remove();
  await policy.remove();
  await other.remove();
  expect(await token.read()).toEqual({});
  expect(await policy.read()).toEqual({});
  await token.remove();
  await policy.remove();
});

test("rules that Nomad can't read are refused in its words", async () => {
  const refused = create("policy", { name: "broken", rules: "namespace {" });
  await expect(refused).rejects.toThrow(
    /Nomad answered 400 to \/v1\/acl\/policy\/broken: [\s\S]*failed to parse rules/,
  );
});

test("access control is bootstrapped with a given token once, adopted with the same, refused with another", async () => {
  // As after an operator's reset (https://developer.hashicorp.com/nomad/docs/secure/acl/bootstrap).
  const done = await api("acl/bootstrap", "", { method: "POST", body: {} });
  const index = /reset index: (\d+)/.exec(done.text)?.[1] as string;
  await writeFile(join(nomad.dataDir, "server", "acl-bootstrap-reset"), index);

  const secretId = randomUUID();
  const bootstrap = await create("bootstrap", { address: nomad.address, secretId: secret(secretId) });
  expect(bootstrap.id).toBe(nomad.address);
  expect(bootstrap.properties.secretId).toEqual(secret(secretId));
  expect((await api("acl/token/self", secretId)).json()).toMatchObject({ Type: "management" });

  expect((await create("bootstrap", { address: nomad.address, secretId })).properties).toEqual(
    bootstrap.properties,
  );
  const stranger = create("bootstrap", { address: nomad.address, secretId: randomUUID() });
  await expect(stranger).rejects.toThrow(/was bootstrapped with another token .*another stack's/);
  await bootstrap.remove();
  expect((await api("acl/token/self", secretId)).status).toBe(200);
});

test("a token that Nomad doesn't know is told as such, and not shown", async () => {
  await using stranger = await startProvider(join(import.meta.dirname, "main.ts"));
  const token = randomUUID();
  await configure(stranger, token);
  const properties = { path: "a", namespace: "default", items: { x: "s3cret" } };
  const refusal: Error = await call("Create", "variable", { properties }, stranger).then(
    () => expect.fail("it was created"),
    (error) => error,
  );
  expect(refusal.message).toMatch(/Nomad refused \/v1\/var\/a: .*The provider's token/);
  expect(refusal.message).not.toContain(token);
  expect(refusal.message).not.toContain("s3cret");
});

test("a Nomad that isn't there yet is waited for; one that never comes is named", async () => {
  const port = await freePorts(1);
  await using early = await startProvider(join(import.meta.dirname, "main.ts"));
  await configure(early, "", `http://127.0.0.1:${port}`);
  const properties = { name: "a", description: "" };
  const before = performance.now();
  await expect(call("Create", "namespace", { properties }, early)).rejects.toThrow(
    new RegExp(`Nomad does not answer at http://127\\.0\\.0\\.1:${port} \\(.*ECONNREFUSED.*lab up`),
  );
  expect(performance.now() - before).toBeGreaterThan(5000);
});
