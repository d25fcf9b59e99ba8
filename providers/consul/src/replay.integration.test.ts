import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ConsulServer, startConsul } from "../../../tests/servers/consul.ts";
import { type Method, type StartedProvider, startProvider } from "../../base/src/client.ts";

/**
 * What the published provider was asked and what it answered, call by call, while Pulumi created, updated, refreshed
 * and destroyed two programs. Ids that Consul makes up have names there, such as `aclToken-web-id`.
 */
interface Phase {
  program: "tree" | "access";
  phase: string;
  calls: Call[];
}

interface Call {
  /** Which of the program's providers was called: each has its own configuration. */
  provider: keyof typeof configurations;
  method: Method;
  type: string;
  /** A function has none. */
  name?: string;
  request: Record<string, unknown>;
  response?: Record<string, unknown>;
  /** As far as it is the provider's own wording. */
  error?: string;
}

const phases: Phase[] = JSON.parse(
  readFileSync(join(import.meta.dirname, "..", "fixtures", "published-3.15.1.json"), "utf8"),
);

const configurations = {
  consul: (consul: ConsulServer) => ({ address: hostOf(consul), token: consul.managementToken }),
  anonymous: (consul: ConsulServer) => ({ address: hostOf(consul) }),
  nobody: () => ({ address: "127.0.0.1:1" }),
};

let consul: ConsulServer;

beforeAll(async () => {
  consul = await startConsul();
});

afterAll(() => consul?.stop());

describe.each(["tree", "access"] as const)("the program %s", (program) => {
  const providers = {} as Record<keyof typeof configurations, StartedProvider>;
  /** The ids of this run by the names in the recording. */
  const ids = new Map<string, string>();

  beforeAll(async () => {
    for (const name of Object.keys(configurations) as Array<keyof typeof configurations>) {
      providers[name] = await startProvider(join(import.meta.dirname, "main.ts"));
      const args = { scheme: "http", ...configurations[name](consul) };
      const datacenter = program === "access" && name === "consul" ? { datacenter: "dc1" } : {};
      await providers[name].client.call("Configure", { args: { ...args, ...datacenter } });
    }
  });

  afterAll(async () => {
    for (const provider of Object.values(providers)) {
      await provider[Symbol.asyncDispose]();
    }
  });

  test.each(phases.filter((phase) => phase.program === program))("$phase", async ({ phase, calls }) => {
    expect(calls.length).toBeGreaterThan(0);
    if (phase === "4-refresh-drift") {
      await driftAway();
    }
    for (const call of calls) {
      await replay(call);
    }
  });

  async function replay({ provider, method, type, name, request, response, error }: Call): Promise<void> {
    const what = `${method} ${type} ${name ?? ""}`;
    const urn = { urn: `urn:pulumi:replay::${program}::${type}::${name}` };
    const fields = { ...(method === "Invoke" ? {} : urn), ...withOurIds(request) };
    const answer = providers[provider].client.call(method, fields);
    if (error !== undefined) {
      const message = await answer.then(
        () => expect.fail(`${what} succeeded`),
        (refusal: Error) => refusal.message,
      );
      expect(message, what).toContain(error);
      return;
    }
    const ours = await answer;
    if (method === "Create" && response?.id) {
      ids.set(response.id as string, ours.id);
    }
    const isPreview = request.preview === true;
    expect(comparable(ours, isPreview), what).toEqual(comparable(withOurIds(response), isPreview));
  }

  function withOurIds<T>(message: T): T {
    let text = JSON.stringify(message);
    for (const [recorded, actual] of ids) {
      text = text.replaceAll(recorded, actual);
    }
    return JSON.parse(text);
  }
});

// biome-ignore lint/suspicious/noExplicitAny: answers of every method
function comparable(answer: any, isPreview: boolean) {
  const { detailedDiff, diffs, replaces, stables, ...rest } = answer;
  const properties = rest.properties && { ...rest.properties };
  if (properties && isPreview) {
    // The recording has it empty; Pulumi passes over it.
    delete properties.id;
  }
  return {
    ...rest,
    ...(properties && { properties }),
    ...(rest.return && { return: { ...rest.return, secretId: expect.anything() } }),
    diffs: (diffs ?? []).toSorted(),
    replaces: (replaces ?? []).toSorted(),
    stables: (stables ?? []).toSorted(),
    // The recording leaves out the kind whose number is zero.
    detailedDiff: Object.fromEntries(
      Object.entries((detailedDiff ?? {}) as Record<string, { kind?: string }>).map(([path, { kind }]) => [
        path,
        kind ?? "ADD",
      ]),
    ),
  };
}

/** Someone changes a key behind Pulumi's back. */
async function driftAway(): Promise<void> {
  const response = await fetch(`${consul.address}/v1/kv/lab/trace/a`, {
    method: "PUT",
    headers: { "x-consul-token": consul.managementToken },
    body: "drifted",
  });
  expect(await response.json()).toBe(true);
}

function hostOf(consul: ConsulServer): string {
  return consul.address.replace("http://", "");
}
