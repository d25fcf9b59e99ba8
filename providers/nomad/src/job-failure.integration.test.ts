import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../../../tests/servers/agent.ts";
import {
  api,
  call,
  create,
  diff,
  inputsOf,
  lasting,
  name,
  nomad,
  refused,
  service,
  startConfigured,
  update,
  useNomad,
} from "./testing/jobs.ts";

useNomad();

test("a job whose registration was not seen to its end is waited for by the next update", async () => {
  const inputs = inputsOf(service(lasting, "", "1500ms"));
  const refusal = await refused(create({ ...inputs, timeoutMs: 300 }));
  expect(refusal.message).toMatch(/was not healthy within 0\.3 s/);
  const kept = refusal.initialization;
  expect(kept).toMatchObject({ id: `default/${name}`, properties: { name } });
  await update(kept?.properties ?? {}, inputs, inputs);
  expect((await api(`job/${name}`)).Version).toBe(0);
  expect((await api(`job/${name}/deployments`))[0].Status).toBe("successful");
});

test("a job that fails says so with its events and log lines, and is kept in the state", async () => {
  const inputs = inputsOf(service("echo starting; echo no database >&2; exit 3"));
  const refusal = await refused(create(inputs));
  expect(refusal.message).toMatch(/The deployment of job .* failed/);
  expect(refusal.message).toMatch(/Task server \(dead, failed\), last events:\n/);
  expect(refusal.message).toMatch(/Terminated: Exit Code: 3/);
  expect(refusal.message).toMatch(/Its last lines on stdout:\n {2}starting/);
  expect(refusal.message).toMatch(/Its last lines on stderr:\n {2}no database/);
  expect(refusal.initialization).toMatchObject({ id: `default/${name}`, properties: { ...inputs, name } });
});

test("a failed job is tried again by the next update though nothing in it has changed", async () => {
  const file = join(nomad.dataDir, `${name}.ready`);
  const inputs = inputsOf(service(`test -e '${file}' || exit 3; exec sleep 600`));
  const { initialization } = await refused(create(inputs));
  const olds = initialization?.properties ?? {};
  expect(await diff(olds, inputs, inputs)).toMatchObject({
    detailedDiff: { deployment: { kind: "UPDATE" } },
  });
  expect((await refused(update(olds, inputs, inputs))).message).toMatch(/Exit Code: 3/);

  await writeFile(file, "");
  const { properties } = await update(olds, inputs, inputs);
  expect(await diff(properties, inputs, inputs)).toMatchObject({ changes: "DIFF_NONE" });
  expect((await api(`job/${name}/deployments`)).map(({ Status }: { Status: string }) => Status)).toContain(
    "successful",
  );
});

test("a change that needs no new allocation does not hide that the one that is there has failed", async () => {
  const inputs = inputsOf(service("echo no database >&2; exit 3"));
  const { initialization } = await refused(create(inputs));
  const news = inputsOf(inputs.jobspec.replace("group ", "priority = 60\n      group "));
  const refusal = await refused(update(initialization?.properties ?? {}, inputs, news));
  expect(refusal.message).toMatch(/Exit Code: 3/);
  expect(refusal.message).toMatch(/stderr:\n {2}no database/);

  const repaired = inputsOf(service());
  const { properties } = await update(refusal.initialization?.properties ?? {}, news, repaired);
  expect(await diff(properties, repaired, repaired)).toMatchObject({ changes: "DIFF_NONE" });
});

test("a rollback by Nomad is a failed update, and the next one tries again", async () => {
  const good = inputsOf(service("echo good; exec sleep 600", "auto_revert = true"));
  const { properties } = await create(good);
  const bad = inputsOf(service("echo bad >&2; exit 4", "auto_revert = true"));
  const refusal = await refused(update(properties, good, bad));
  expect(refusal.message).toMatch(/failed: .*rolling back to job version 0/);
  expect(refusal.message).toMatch(/Exit Code: 4/);
  expect(refusal.message).toMatch(/stderr:\n {2}bad/);
  await until("Nomad to roll back", async () => (await api(`job/${name}`)).Version === 2);

  const olds = refusal.initialization?.properties ?? {};
  expect(await diff(olds, bad, bad)).toMatchObject({
    detailedDiff: { 'group.web.task.server.Config["args[1]"]': { kind: "UPDATE" } },
  });
  expect((await refused(update(olds, bad, bad))).message).toMatch(/Exit Code: 4/);
  await until("Nomad to roll back", async () => (await api(`job/${name}`)).Version === 4);
  const recovered = await update(olds, bad, good);
  expect((await api(`job/${name}`)).Version).toBe(4);
  expect(await diff(recovered.properties, good, good)).toMatchObject({ changes: "DIFF_NONE" });
});

const batch = (script: string) =>
  service(script)
    .replace(/update \{[^}]*\}/, "")
    .replace("{\n      group", '{\n      type = "batch"\n      group');

test("a batch job is created once it is complete", async () => {
  const { properties } = await create(inputsOf(batch("sleep 0.5; echo migrated")));
  expect(properties.type).toBe("batch");
  const [allocation] = await api(`job/${name}/allocations`);
  expect(allocation.ClientStatus).toBe("complete");
});

test("a batch job fails with its log, is tried again, and is repaired by a change", async () => {
  const failing = inputsOf(batch("echo table exists >&2; exit 5"));
  const refusal = await refused(create(failing));
  expect(refusal.message).toMatch(/Exit Code: 5/);
  expect(refusal.message).toMatch(/stderr:\n {2}table exists/);

  const olds = refusal.initialization?.properties ?? {};
  expect((await refused(update(olds, failing, failing))).message).toMatch(/Exit Code: 5/);
  const repaired = inputsOf(batch("echo migrated"));
  const state = await update(olds, failing, repaired);
  expect(await diff(state.properties, repaired, repaired)).toMatchObject({ changes: "DIFF_NONE" });
});

test("a job that no node can run says why", async () => {
  const inputs = inputsOf(service().replace("cpu    = 10", "cpu    = 10000000"), { timeoutMs: 2000 });
  const refusal = await refused(create(inputs));
  expect(refusal.message).toMatch(/No node can run group web: not enough .*cpu/);
  expect(refusal.initialization?.id).toBe(`default/${name}`);
});

test("Ctrl-C ends the wait for a job; it is kept in the state", async () => {
  await using interrupted = await startConfigured();
  const properties = inputsOf(service(lasting, "", "7s"));
  const creating = refused(call("Create", { properties }, interrupted));
  await until(
    "the job to run",
    async () => (await api(`job/${name}/allocations`))[0].ClientStatus === "running",
  );
  await interrupted.client.call("Cancel");
  const refusal = await creating;
  expect(refusal.message).toMatch(/is registered; whether it became healthy is not known: Cancelled/);
  expect(refusal.initialization?.id).toBe(`default/${name}`);
});

test("while Nomad is away only the inputs can be compared, and a change says so later", async () => {
  const inputs = inputsOf(service());
  const { properties } = await create(inputs);
  await nomad.kill();
  try {
    const [same, other] = await Promise.all([
      diff(properties, inputs, inputs),
      diff(properties, inputs, { ...inputs, jobspec: `${inputs.jobspec}\n` }),
    ]);
    expect(same).toMatchObject({ changes: "DIFF_NONE" });
    expect(other).toMatchObject({ diffs: ["jobspec"] });
  } finally {
    await nomad.restart();
  }
  await until("Nomad to have a leader", async () => (await api("status/leader")) !== "");
  expect(await diff(properties, inputs, inputs)).toMatchObject({ changes: "DIFF_NONE" });
});
