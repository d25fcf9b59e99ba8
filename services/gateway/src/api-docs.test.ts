import { type Instance, ListSource, Upstream, upstreamPolicySchema } from "@lab/discovery";
import { expect, onTestFinished, test } from "vitest";
import { apiDocs } from "./api-docs.ts";
import { serve } from "./testing/serve.ts";

/** Nobody listens there. */
const nobody = "http://127.0.0.1:1";

function serviceAt(...origins: string[]): Upstream {
  const upstream = new Upstream({
    name: "thing",
    source: new ListSource(
      origins.map((origin, index) => ({ id: `i${index}`, origin, weight: 1, meta: {} })),
    ),
    policy: upstreamPolicySchema.parse({ activeProbe: null, passiveHealth: { consecutiveFailures: 1 } }),
  });
  onTestFinished(() => upstream.close());
  return upstream;
}

/** The paths of the documents together, by somebody who asks for the first time. */
async function pathsOf(upstream: Upstream): Promise<string[]> {
  const answer = await apiDocs([upstream]).request("/openapi.json");
  return Object.keys(((await answer.json()) as { paths: object }).paths);
}

test("an instance that is not well is asked for no document while another one is", async () => {
  const document = { openapi: "3.1.0", info: {}, paths: { "/api/things": {}, "/readyz": {} } };
  const { origin } = await serve((_incoming, outgoing) => outgoing.end(JSON.stringify(document)));
  const upstream = serviceAt(nobody, origin);
  // Which of them is dead is found out by asking.
  const found = [await pathsOf(upstream), await pathsOf(upstream)];
  expect(found.toSorted()).toEqual([[], ["/api/things"]]);
  expect(await pathsOf(upstream)).toEqual(["/api/things"]);
  expect(await pathsOf(upstream)).toEqual(["/api/things"]);
  expect(upstream.snapshot().instances).toMatchObject([
    { state: "ejected", active: 0 },
    { state: "healthy", active: 0 },
  ]);
});

test("an instance that has no document is as well as before", async () => {
  const { origin } = await serve((_incoming, outgoing) => outgoing.writeHead(404).end("{}"));
  const upstream = serviceAt(origin);
  expect(await pathsOf(upstream)).toEqual([]);
  const instance = upstream.pick() as Instance;
  upstream.release(instance, "cancelled", 0);
  expect(instance).toMatchObject({ state: "healthy", active: 0 });
});
