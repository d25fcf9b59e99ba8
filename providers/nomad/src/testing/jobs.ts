import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { type NomadServer, startNomad } from "../../../../tests/servers/nomad.ts";
import { type Method, type Refusal, type StartedProvider, startProvider } from "../../../base/src/client.ts";

/** The servers of the job tests: a real Nomad and the provider, started once for a file. */
export let nomad: NomadServer;
let provider: StartedProvider;

/** The name of the test's own job. */
export let name: string;
let count = 0;

/** To be called once at the top of a test file. */
export function useNomad(): void {
  beforeAll(async () => {
    nomad = await startNomad();
    provider = await startConfigured();
  });

  afterAll(async () => {
    await provider?.[Symbol.asyncDispose]();
    await nomad?.stop();
  });

  beforeEach(() => {
    name = `job-${++count}`;
  });
}

/** Another provider of the same Nomad. */
export async function startConfigured(): Promise<StartedProvider> {
  const started = await startProvider(join(import.meta.dirname, "..", "main.ts"));
  await started.client.call("Configure", { args: { address: nomad.address, token: nomad.bootstrapToken } });
  return started;
}

export interface Inputs {
  jobspec: string;
  variables: Record<string, string>;
  purgeOnDelete: boolean;
  timeoutMs: number;
}

export const lasting = "echo hello; exec sleep 600";

/**
 * A service that Nomad gives no second chance. One that stays is healthy a moment later; for one that ends, the moment must
 * be longer than Nomad needs to notice.
 */
export function service(
  script = lasting,
  update = "",
  minHealthyTime = script.includes("exit") ? "2s" : "100ms",
) {
  return `
    variable "greeting" { default = "hello" }
    job "${name}" {
      group "web" {
        update {
          health_check      = "task_states"
          min_healthy_time  = "${minHealthyTime}"
          healthy_deadline  = "8s"
          progress_deadline = "9s"
          ${update}
        }
        restart {
          attempts = 0
          mode     = "fail"
        }
        reschedule {
          attempts  = 0
          unlimited = false
        }
        task "server" {
          driver       = "raw_exec"
          kill_timeout = "1s"
          env { GREETING = var.greeting }
          config {
            command = "/bin/sh"
            args    = ["-c", ${JSON.stringify(script)}]
          }
          resources {
            cpu    = 10
            memory = 16
          }
        }
      }
    }`;
}

export function inputsOf(jobspec: string, overrides: Partial<Inputs> = {}): Inputs {
  return { jobspec, variables: {}, purgeOnDelete: true, timeoutMs: 30_000, ...overrides };
}

export function call(method: Method, fields: object, { client } = provider) {
  return client.call(method, { urn: "urn:pulumi:dev::project::nomad:index/job:Job::it", ...fields });
}

export const create = (inputs: Inputs) => call("Create", { properties: inputs });

export const update = (olds: object, oldInputs: Inputs, news: Inputs) =>
  call("Update", { id: `default/${name}`, olds, oldInputs, news });

export const diff = (olds: object, oldInputs: Inputs, news: Inputs) =>
  call("Diff", { id: `default/${name}`, olds, oldInputs, news });

export const remove = (outputs: object, oldInputs: Inputs) =>
  call("Delete", { id: `default/${name}`, properties: outputs, oldInputs });

export function refused(action: Promise<unknown>): Promise<Refusal> {
  return action.then(
    () => expect.fail("it succeeded"),
    (error) => error,
  );
}

/** What Nomad answers, without the provider. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows the answer that it expects
export async function api(path: string, options: { method?: string; body?: object } = {}): Promise<any> {
  const response = await fetch(`${nomad.address}/v1/${path}`, {
    method: options.method ?? "GET",
    headers: { "x-nomad-token": nomad.bootstrapToken },
    body: options.body && JSON.stringify(options.body),
  });
  if (!response.ok) {
    throw new Error(`${response.status} ${await response.text()}`);
  }
  return await response.json();
}
