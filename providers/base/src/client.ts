import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import type { Properties } from "./values.ts";

const require = createRequire(import.meta.url);
const proto = require("@pulumi/pulumi/proto/provider_pb.js");
const { ResourceProviderClient } = require("@pulumi/pulumi/proto/provider_grpc_pb.js");
const { Empty } = require("google-protobuf/google/protobuf/empty_pb.js");
const { Struct } = require("google-protobuf/google/protobuf/struct_pb.js");
const { Status } = require("@pulumi/pulumi/proto/status_pb.js");

/** The methods of the service that the engine calls for a resource or a provider, and their messages. */
const messages = {
  CheckConfig: proto.CheckRequest,
  DiffConfig: proto.DiffRequest,
  Configure: proto.ConfigureRequest,
  Invoke: proto.InvokeRequest,
  Check: proto.CheckRequest,
  Diff: proto.DiffRequest,
  Create: proto.CreateRequest,
  Read: proto.ReadRequest,
  Update: proto.UpdateRequest,
  Delete: proto.DeleteRequest,
  GetSchema: proto.GetSchemaRequest,
  Handshake: proto.ProviderHandshakeRequest,
  GetPluginInfo: Empty,
  Cancel: Empty,
};

export type Method = keyof typeof messages;

/** Fields that are property maps; the others are passed as they are. */
const maps = ["news", "olds", "oldInputs", "properties", "inputs", "args", "return"];

/** What a provider refused, with what an initialization that failed has left behind. */
export class Refusal extends Error {
  override name = "Refusal";
  readonly initialization: { id: string; properties: Properties; reasons: string[] } | undefined;

  constructor(error: grpc.ServiceError) {
    super(error.details);
    this.initialization = initializationOf(error);
  }
}

/**
 * Calls a provider as Pulumi's engine does, through the generated client, for the tests. Messages are plain objects with
 * the field names of `provider.proto`; fields of an answer that have their default value are left out.
 */
export class ProviderClient {
  // biome-ignore lint/suspicious/noExplicitAny: the generated client has no types
  readonly #client: any;

  constructor(port: number) {
    this.#client = new ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  }

  // biome-ignore lint/suspicious/noExplicitAny: each test knows the answer that it expects
  call(method: Method, fields: Record<string, unknown> = {}): Promise<any> {
    const request = new messages[method]();
    for (const [name, value] of Object.entries(fields)) {
      request[setterOf(request, name)](maps.includes(name) ? Struct.fromJavaScript(value) : value);
    }
    const name = `${method[0]?.toLowerCase()}${method.slice(1)}`;
    return new Promise((resolve, reject) => {
      this.#client[name](request, (error: grpc.ServiceError | null, response: unknown) =>
        error ? reject(new Refusal(error)) : resolve(plain(response)),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** A provider in a process of its own, as the engine starts it. */
export interface StartedProvider extends AsyncDisposable {
  client: ProviderClient;
  pid: number;
}

/** @param main the provider's entry point */
export async function startProvider(main: string): Promise<StartedProvider> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = await once(createInterface(child.stdout), "line");
  const client = new ProviderClient(Number(port));
  return {
    client,
    pid: child.pid as number,
    async [Symbol.asyncDispose]() {
      client.close();
      if (child.exitCode === null && child.signalCode === null) {
        child.kill();
        await once(child, "exit");
      }
    },
  };
}

function setterOf(request: Record<string, unknown>, field: string): string {
  const wanted = [`set${field}`, `set${field}list`].map((name) => name.toLowerCase());
  for (let type = Object.getPrototypeOf(request); type; type = Object.getPrototypeOf(type)) {
    const setter = Object.getOwnPropertyNames(type).find((name) => wanted.includes(name.toLowerCase()));
    if (setter) {
      return setter;
    }
  }
  throw new Error(`The message has no field ${field}.`);
}

/** A message as the JSON form of protocol buffers has it: without default values, enumerations by name. */
// biome-ignore lint/suspicious/noExplicitAny: the generated messages
function plain(message: any): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message.toObject())) {
    const field = name.replace(/^pb_/, "").replace(/List$/, "");
    if (maps.includes(field)) {
      const struct = message[`get${field[0]?.toUpperCase()}${field.slice(1)}`]();
      fields[field] = struct?.toJavaScript();
    } else if (field === "detaileddiffMap") {
      fields.detailedDiff = detailedDiffOf(message);
    } else if (field === "changes") {
      fields.changes = nameOf(proto.DiffResponse.DiffChanges, value as number);
    } else {
      fields[names[field] ?? field] = value;
    }
  }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isDefault(value)));
}

/** Names that the generator spells in its own way. */
const names: Record<string, string> = {
  deletebeforereplace: "deleteBeforeReplace",
  hasdetaileddiff: "hasDetailedDiff",
  acceptsecrets: "acceptSecrets",
  supportspreview: "supportsPreview",
};

// biome-ignore lint/suspicious/noExplicitAny: the generated messages
function detailedDiffOf(message: any): Record<string, { kind: string }> | undefined {
  const entries: Array<[string, { kind: string }]> = [];
  message.getDetaileddiffMap().forEach((diff: { getKind(): number }, path: string) => {
    entries.push([path, { kind: nameOf(proto.PropertyDiff.Kind, diff.getKind()) }]);
  });
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function nameOf(names: Record<string, number>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}

function isDefault(value: unknown): boolean {
  return (
    value === undefined ||
    value === "" ||
    value === 0 ||
    value === false ||
    (Array.isArray(value) && value.length === 0)
  );
}

function initializationOf(error: grpc.ServiceError): Refusal["initialization"] {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (bytes === undefined) {
    return undefined;
  }
  for (const detail of Status.deserializeBinary(bytes).getDetailsList()) {
    if (detail.getTypeName() === "pulumirpc.ErrorResourceInitFailed") {
      const failed = proto.ErrorResourceInitFailed.deserializeBinary(detail.getValue_asU8());
      return {
        id: failed.getId(),
        properties: failed.getProperties().toJavaScript(),
        reasons: failed.getReasonsList(),
      };
    }
  }
  return undefined;
}
