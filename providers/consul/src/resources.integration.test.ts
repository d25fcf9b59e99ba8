import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ConsulServer, startConsul } from "../../../tests/servers/consul.ts";
import { type Method, type Refusal, type StartedProvider, startProvider } from "../../base/src/client.ts";

const types = {
  keyPrefix: "consul:index/keyPrefix:KeyPrefix",
  configEntry: "consul:index/configEntry:ConfigEntry",
  policy: "consul:index/aclPolicy:AclPolicy",
  token: "consul:index/aclToken:AclToken",
  attachment: "consul:index/aclTokenPolicyAttachment:AclTokenPolicyAttachment",
};

let consul: ConsulServer;
let provider: StartedProvider;

beforeAll(async () => {
  consul = await startConsul();
  provider = await startProvider(join(import.meta.dirname, "main.ts"));
  await configure(provider, consul.managementToken);
});

afterAll(async () => {
  await provider?.[Symbol.asyncDispose]();
  await consul?.stop();
});

async function configure({ client }: StartedProvider, token?: string): Promise<void> {
  const address = consul.address.replace("http://", "");
  await client.call("Configure", { args: { address, ...(token && { token }) } });
}

function call(method: Method, type: keyof typeof types, fields: object, { client } = provider) {
  return client.call(method, { urn: `urn:pulumi:dev::project::${types[type]}::it`, ...fields });
}

/** Creates, and says how to read and delete it. */
async function create(type: keyof typeof types, properties: object) {
  const { id, properties: outputs } = await call("Create", type, { properties });
  return {
    id: id as string,
    outputs,
    read: () => call("Read", type, { id, inputs: properties, properties: outputs }),
    remove: () => call("Delete", type, { id, properties: outputs, oldInputs: properties }),
  };
}

/** What the API answers, without the provider. */
async function api(path: string, options: { method?: string; body?: string } = {}): Promise<Response> {
  const headers = { "x-consul-token": consul.managementToken };
  return await fetch(`${consul.address}${path}`, { headers, ...options });
}

test.each([
  [
    "policy",
    { name: "gone", rules: 'key_prefix "" { policy = "read" }' },
    (id: string) => `acl/policy/${id}`,
  ],
  ["token", { description: "gone" }, (id: string) => `acl/token/${id}`],
  [
    "configEntry",
    { kind: "service-resolver", name: "gone", configJson: '{"ConnectTimeout":"5s"}' },
    () => "config/service-resolver/gone",
  ],
] as const)(
  "a %s that someone removed is read as gone, and can still be deleted",
  async (type, inputs, path) => {
    const { id, read, remove } = await create(type, inputs);
    expect((await read()).id).toBe(id);
    expect((await api(`/v1/${path(id)}`, { method: "DELETE" })).ok).toBe(true);
    expect(await read()).toEqual({});
    await remove();
    expect(await read()).toEqual({});
  },
);

test("a policy's attachment that someone removed is read as gone, with its token too", async () => {
  const policy = await create("policy", { name: "attached", rules: 'key_prefix "" { policy = "read" }' });
  const token = await create("token", { description: "holder", policies: [] });
  const attachment = await create("attachment", { tokenId: token.id, policy: "attached" });
  expect((await attachment.read()).properties).toMatchObject({ tokenId: token.id, policy: "attached" });
  await attachment.remove();
  expect(await attachment.read()).toEqual({});
  await attachment.remove();
  await token.remove();
  expect(await attachment.read()).toEqual({});
  await attachment.remove();
  await policy.remove();
});

test("what the stand-in does not have is refused, not passed over", async () => {
  const { failures } = await call("Check", "token", { news: { description: "a", roles: ["ops"] } });
  expect(failures).toEqual([{ property: "", reason: expect.stringContaining("has no roles") }]);
});

test("a policy that is attached leaves the token's other rights alone", async () => {
  await create("policy", { name: "more", rules: 'key_prefix "" { policy = "read" }' });
  const body = JSON.stringify({ Description: "rich", ServiceIdentities: [{ ServiceName: "web" }] });
  const token = (await (await api("/v1/acl/token", { method: "PUT", body })).json()) as {
    AccessorID: string;
  };
  const attachment = await create("attachment", { tokenId: token.AccessorID, policy: "more" });
  const read = async () => (await (await api(`/v1/acl/token/${token.AccessorID}`)).json()) as object;
  const rights = { Description: "rich", ServiceIdentities: [{ ServiceName: "web" }] };
  expect(await read()).toMatchObject({ ...rights, Policies: [{ Name: "more" }] });
  await attachment.remove();
  expect(await read()).toMatchObject(rights);
  expect(await read()).not.toHaveProperty("Policies.0");
});

test("a policy of the same name that an interrupted run left is adopted, with the wanted rules", async () => {
  const left = await create("policy", { name: "left", rules: 'key_prefix "a" { policy = "read" }' });
  const rules = 'key_prefix "b" { policy = "read" }';
  const adopted = await create("policy", { name: "left", rules });
  expect(adopted.id).toBe(left.id);
  expect((await (await api(`/v1/acl/policy/${left.id}`)).json()) as object).toMatchObject({ Rules: rules });
});

test("a token's secret is read by a function, marked as secret, and is nowhere in the token's state", async () => {
  const { id, outputs } = await create("token", { description: "mine" });
  const secretId = ((await (await api(`/v1/acl/token/${id}`)).json()) as { SecretID: string }).SecretID;
  expect(JSON.stringify(outputs)).not.toContain(secretId);
  const tok = "consul:index/getAclTokenSecretId:getAclTokenSecretId";
  const answer = await provider.client.call("Invoke", { tok, args: { accessorId: id } });
  expect(answer.return.secretId).toEqual({
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    value: secretId,
  });
});

test("keys that an interrupted run left are adopted; keys of someone else are refused by name", async () => {
  await api("/v1/kv/lab/left/a", { method: "PUT", body: "1" });
  const { id } = await create("keyPrefix", { pathPrefix: "lab/left/", subkeys: { a: "1", b: "2" } });
  expect(id).toBe("lab/left/");
  expect(await (await api("/v1/kv/lab/left/b?raw")).text()).toBe("2");

  await api("/v1/kv/lab/foreign/z", { method: "PUT", body: "1" });
  const refused = create("keyPrefix", { pathPrefix: "lab/foreign/", subkeys: { a: "1" } });
  await expect(refused).rejects.toThrow(/already exist under lab\/foreign\/ \(z\)/);
  expect((await api("/v1/kv/lab/foreign/a")).status).toBe(404);
});

test("keys and values may hold anything that Consul takes", async () => {
  const subkeys = { "a b?c#d%e/ü": "line 1\nline 2 ü", empty: "", json: '{"a":1}' };
  const prefix = await create("keyPrefix", { pathPrefix: "lab/odd keys/", subkeys });
  expect((await prefix.read()).properties.subkeys).toEqual(subkeys);
  const news = { pathPrefix: "lab/odd keys/", subkeys: { empty: "" } };
  await call("Update", "keyPrefix", { id: prefix.id, olds: prefix.outputs, oldInputs: prefix.outputs, news });
  expect((await prefix.read()).properties.subkeys).toEqual({ empty: "" });
  await prefix.remove();
  expect((await prefix.read()).properties.subkeys).toEqual({});
  await prefix.remove();
});

test("a prefix that could be written only in part is kept in Pulumi's state, to be completed", async () => {
  const rules = 'key_prefix "lab/part/" { policy = "read" } key "lab/part/a" { policy = "write" }';
  await create("policy", { name: "part", rules: `${rules} agent_prefix "" { policy = "read" }` });
  const { id } = await create("token", { description: "part", policies: ["part"] });
  const { SecretID } = (await (await api(`/v1/acl/token/${id}`)).json()) as { SecretID: string };
  await using limited = await startProvider(join(import.meta.dirname, "main.ts"));
  await configure(limited, SecretID);
  const properties = { pathPrefix: "lab/part/", subkeys: { a: "1", b: "2" } };
  const refusal: Refusal = await call("Create", "keyPrefix", { properties }, limited).then(
    () => expect.fail("it was created"),
    (error) => error,
  );
  expect(refusal.message).toMatch(/error while writing lab\/part\/b: .*403/);
  expect(refusal.initialization).toMatchObject({
    id: "lab/part/",
    properties: { ...properties, datacenter: "dc1" },
  });
});

test("an entry that Consul reads otherwise than it was written is refused, with both", async () => {
  const properties = {
    kind: "service-defaults",
    name: "odd",
    configJson: '{"Protocol":"http","MaxRetries":1}',
  };
  await expect(call("Create", "configEntry", { properties })).rejects.toThrow(/MaxRetries/);
});

test("a Consul that is away is named by its address", async () => {
  await using away = await startProvider(join(import.meta.dirname, "main.ts"));
  await away.client.call("Configure", { args: { address: "127.0.0.1:1" } });
  const properties = { name: "a", rules: 'key "" { policy = "read" }' };
  await expect(call("Create", "policy", { properties }, away)).rejects.toThrow(
    /Consul does not answer at 127\.0\.0\.1:1: .*ECONNREFUSED.* Is its agent running\?/,
  );
});

test("no error shows the token", async () => {
  const wrong = "9c1f6f0e-0000-4000-8000-000000000001";
  await using stranger = await startProvider(join(import.meta.dirname, "main.ts"));
  await configure(stranger, wrong);
  const refusal: Error = await call("Create", "token", { properties: {} }, stranger).then(
    () => expect.fail("it was created"),
    (error) => error,
  );
  expect(refusal.message).toMatch(/403/);
  expect(refusal.message).not.toContain(wrong);
});
