import { createRequire } from "node:module";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { compare } from "./compare.ts";
import { Engine } from "./engine.ts";
import {
  type Change,
  type Context,
  type Difference,
  InitializationFailed,
  type Provider,
  type ResourceHandler,
} from "./provider.ts";
import { validate } from "./validate.ts";
import { hasUnknown, outputSecrets, type Properties, type SecretPaths, unwrap, wrap } from "./values.ts";

const require = createRequire(import.meta.url);
const proto: typeof import("@pulumi/pulumi/proto/provider_pb.js") = require("@pulumi/pulumi/proto/provider_pb.js");
const { ResourceProviderService } = require("@pulumi/pulumi/proto/provider_grpc_pb.js");
const plugin: typeof import("@pulumi/pulumi/proto/plugin_pb.js") = require("@pulumi/pulumi/proto/plugin_pb.js");
const { Status } = require("@pulumi/pulumi/proto/status_pb.js");
const { Any } = require("google-protobuf/google/protobuf/any_pb.js");
const { Empty } = require("google-protobuf/google/protobuf/empty_pb.js");
const structs: typeof import("google-protobuf/google/protobuf/struct_pb.js") =
  require("google-protobuf/google/protobuf/struct_pb.js");

/** How often the provider looks whether the process that started it is still there. */
const parentCheckMs = 500;

/**
 * Serves a provider as Pulumi's plugins do: prints the port it listens on, answers until the engine goes away, and ends
 * with it, also when the engine was killed.
 *
 * @see https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
 */
export async function serve(provider: Provider): Promise<void> {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  server.addService(ResourceProviderService, implementation(provider, new Engine(process.argv[2])));
  const port = await promisify(server.bindAsync.bind(server) as BindAsync)(
    "127.0.0.1:0",
    grpc.ServerCredentials.createInsecure(),
  );
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(0), parentCheckMs).unref();
  process.stdout.write(`${port}\n`);
}

type BindAsync = (
  address: string,
  credentials: grpc.ServerCredentials,
  callback: (error: Error | null, port: number) => void,
) => void;

// biome-ignore lint/suspicious/noExplicitAny: the generated messages of thirty methods, each read once below
type Request = any;

/** The methods of the service, without the transport; the tests call them through a real client. */
export function implementation(provider: Provider, engine: Engine): grpc.UntypedServiceImplementation {
  const resources = new Map(provider.resources.map((handler) => [handler.type, handler]));
  const functions = new Map(provider.functions?.map((handler) => [handler.token, handler]));
  const cancelled = new AbortController();
  let config: unknown;
  /** In the order given to `diff`: inputs that the engine compares, not secrets. */
  const handlerOf = (request: Request): ResourceHandler => {
    const type: string = request.getType() || request.getUrn().split("::")[2].split("$").at(-1);
    const handler = resources.get(type);
    if (!handler) {
      throw new Error(
        `Provider ${provider.name} has no resource type ${type}; it has: ${[...resources.keys()].join(", ")}.`,
      );
    }
    return handler;
  };
  const contextOf = (urn: string, preview = false): Context => ({
    config,
    signal: cancelled.signal,
    preview,
    log: (severity, message) => engine.log(severity, message, urn),
  });

  const methods: Record<string, (request: Request) => Promise<unknown> | unknown> = {
    handshake() {
      const response = new proto.ProviderHandshakeResponse();
      response.setAcceptSecrets(true);
      response.setAcceptResources(false);
      response.setAcceptOutputs(false);
      return response;
    },

    getPluginInfo() {
      const response = new plugin.PluginInfo();
      response.setVersion(provider.version);
      return response;
    },

    attach(request) {
      engine.connect(request.getAddress());
      return new Empty();
    },

    getSchema() {
      const response = new proto.GetSchemaResponse();
      response.setSchema(JSON.stringify(schemaOf(provider)));
      return response;
    },

    checkConfig(request) {
      const { values, secrets } = read(request.getNews());
      const response = new proto.CheckResponse();
      const { failures } = validate(provider.config, settingsOf(values));
      response.setFailuresList(failures.map(checkFailure));
      response.setInputs(struct(values, secrets));
      return response;
    },

    diffConfig(request) {
      const olds = read(request.getOlds()).values;
      const news = read(request.getNews()).values;
      return diffResponse({ changes: compare(settingsOf(olds), settingsOf(news)) });
    },

    configure(request) {
      const settings = settingsOf(read(request.getArgs()).values);
      if (!hasUnknown(settings)) {
        const { values, failures } = validate(provider.config, settings);
        if (failures.length > 0) {
          throw new Error(failures.map((failure) => `${failure.property}: ${failure.reason}`).join("; "));
        }
        config = values;
      }
      const response = new proto.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setSupportspreview(true);
      response.setAcceptresources(false);
      response.setAcceptoutputs(false);
      response.setSupportsAutonamingConfiguration(false);
      return response;
    },

    async invoke(request) {
      const handler = functions.get(request.getTok());
      if (!handler) {
        throw new Error(`Provider ${provider.name} has no function ${request.getTok()}.`);
      }
      const { values, failures } = validate(handler.arguments, read(request.getArgs()).values);
      const response = new proto.InvokeResponse();
      response.setFailuresList(failures.map(checkFailure));
      if (failures.length === 0) {
        const result = await handler.call(contextOf(""), values);
        response.setReturn(struct(result, outputSecrets([], handler.secretResults)));
      }
      return response;
    },

    async check(request) {
      const handler = handlerOf(request);
      const { values: news, secrets } = read(request.getNews());
      const response = new proto.CheckResponse();
      const { values, failures } = validate(handler.inputs, handler.checkRaw?.(news) ?? news);
      if (failures.length > 0) {
        response.setFailuresList(failures.map(checkFailure));
        response.setInputs(struct(news, secrets));
        return response;
      }
      const known = !hasUnknown(news);
      const checked =
        known && handler.check ? await handler.check(contextOf(request.getUrn()), values) : values;
      response.setInputs(struct(checked as Properties, secrets));
      return response;
    },

    async diff(request) {
      const handler = handlerOf(request);
      const olds = read(request.getOlds()).values;
      const news = read(request.getNews()).values;
      const oldInputs = request.getOldInputs() ? read(request.getOldInputs()).values : olds;
      const difference =
        handler.diff && !hasUnknown(news)
          ? await handler.diff(contextOf(request.getUrn()), { id: request.getId(), olds, oldInputs, news })
          : { changes: compare(oldInputs, news, handler.replaceOn) };
      return diffResponse(without(difference, request.getIgnorechangesList()));
    },

    async create(request) {
      const handler = handlerOf(request);
      const { values: inputs, secrets } = read(request.getProperties());
      const response = new proto.CreateResponse();
      if (request.getPreview()) {
        response.setProperties(struct(handler.previewRaw?.(inputs) ?? inputs, secrets));
        return response;
      }
      const marks = outputSecrets(secrets, handler.secretOutputs);
      const { id, outputs } = await markingFailures(marks, () =>
        handler.create(contextOf(request.getUrn()), { name: nameOf(request), inputs }),
      );
      response.setId(id);
      response.setProperties(struct(outputs as Properties, marks));
      return response;
    },

    async read(request) {
      const handler = handlerOf(request);
      const inputs = read(request.getInputs());
      const outputs = read(request.getProperties());
      const response = new proto.ReadResponse();
      const id = request.getId();
      const found = handler.read
        ? await handler.read(contextOf(request.getUrn()), {
            id,
            inputs: inputs.values,
            outputs: outputs.values,
          })
        : { id, inputs: inputs.values, outputs: outputs.values };
      if (!found) {
        return response;
      }
      const marks = outputSecrets([...inputs.secrets, ...outputs.secrets], handler.secretOutputs);
      response.setId(found.id);
      response.setProperties(struct(found.outputs as Properties, marks));
      response.setInputs(struct(found.inputs as Properties, [...inputs.secrets, ...marks]));
      return response;
    },

    async update(request) {
      const handler = handlerOf(request);
      const { values: inputs, secrets } = read(request.getNews());
      const { values: olds, secrets: oldSecrets } = read(request.getOlds());
      const response = new proto.UpdateResponse();
      if (request.getPreview() || !handler.update) {
        const marks = outputSecrets([...oldSecrets, ...secrets], handler.secretOutputs);
        const expected = handler.previewRaw?.(inputs, olds) ?? { ...olds, ...inputs };
        response.setProperties(struct(expected, marks));
        return response;
      }
      const marks = outputSecrets(secrets, handler.secretOutputs);
      const oldInputs = request.getOldInputs() ? read(request.getOldInputs()).values : olds;
      const { outputs } = (await markingFailures(marks, async () =>
        handler.update?.(contextOf(request.getUrn()), { id: request.getId(), olds, oldInputs, inputs }),
      )) as { outputs: Properties };
      response.setProperties(struct(outputs, marks));
      return response;
    },

    async delete(request) {
      const handler = handlerOf(request);
      const outputs = read(request.getProperties()).values;
      const inputs = request.getOldInputs() ? read(request.getOldInputs()).values : {};
      await handler.delete(contextOf(request.getUrn()), { id: request.getId(), inputs, outputs });
      return new Empty();
    },

    cancel() {
      cancelled.abort(new Error("Cancelled."));
      return new Empty();
    },
  };

  const unsupported = ["parameterize", "call", "construct", "list", "getMapping", "getMappings"];
  return Object.fromEntries([
    ...Object.entries(methods).map(([name, method]) => [name, answering(method)]),
    ...unsupported.map((name) => [name, refusing(provider, name)]),
  ]);
}

function answering(method: (request: Request) => Promise<unknown> | unknown) {
  return (call: { request: Request }, callback: grpc.sendUnaryData<unknown>) => {
    Promise.resolve()
      .then(() => method(call.request))
      .then(
        (response) => callback(null, response),
        (error: Error) => callback(statusOf(error)),
      );
  };
}

function refusing(provider: Provider, name: string) {
  return (_call: unknown, callback?: grpc.sendUnaryData<unknown>) =>
    callback?.({
      code: grpc.status.UNIMPLEMENTED,
      details: `Provider ${provider.name} does not implement ${name}.`,
    });
}

/** An error as gRPC carries it; one of initialization takes the half-made resource with it, as Pulumi expects. */
function statusOf(error: Error): Partial<grpc.StatusObject> {
  const metadata = new grpc.Metadata();
  if (error instanceof MarkedFailure) {
    const detail = new proto.ErrorResourceInitFailed();
    detail.setId(error.failure.id);
    detail.setProperties(struct(error.failure.outputs, error.marks));
    detail.setReasonsList(error.failure.reasons);
    const any = new Any();
    any.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const status = new Status();
    status.setCode(grpc.status.UNKNOWN);
    status.setMessage(error.message);
    status.addDetails(any);
    metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
  }
  return { code: grpc.status.UNKNOWN, details: error.message, metadata };
}

/** An initialization failure together with what is secret in its outputs. */
class MarkedFailure extends Error {
  readonly failure: InitializationFailed;
  readonly marks: SecretPaths;

  constructor(failure: InitializationFailed, marks: SecretPaths) {
    super(failure.message);
    this.failure = failure;
    this.marks = marks;
  }
}

async function markingFailures<T>(marks: SecretPaths, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof InitializationFailed ? new MarkedFailure(error, marks) : error;
  }
}

function diffResponse({ changes, deleteBeforeReplace = true, stables = [] }: Difference) {
  const response = new proto.DiffResponse();
  const paths = Object.keys(changes);
  const top = (path: string) => path.split(/[.[]/)[0] as string;
  const replacing = paths.filter((path) => changes[path]?.endsWith("-replace"));
  response.setChanges(
    paths.length > 0 ? proto.DiffResponse.DiffChanges.DIFF_SOME : proto.DiffResponse.DiffChanges.DIFF_NONE,
  );
  response.setDiffsList([...new Set(paths.map(top))]);
  response.setReplacesList([...new Set(replacing.map(top))]);
  response.setStablesList(stables);
  response.setDeletebeforereplace(deleteBeforeReplace && replacing.length > 0);
  response.setHasdetaileddiff(true);
  for (const [path, change] of Object.entries(changes)) {
    const property = new proto.PropertyDiff();
    property.setKind(kinds[change]);
    property.setInputdiff(false);
    response.getDetaileddiffMap().set(path, property);
  }
  return response;
}

const { Kind } = proto.PropertyDiff;
const kinds: Record<Change, number> = {
  add: Kind.ADD,
  "add-replace": Kind.ADD_REPLACE,
  delete: Kind.DELETE,
  "delete-replace": Kind.DELETE_REPLACE,
  update: Kind.UPDATE,
  "update-replace": Kind.UPDATE_REPLACE,
} as Record<Change, number>;

function without(difference: Difference, ignored: string[]): Difference {
  const kept = Object.entries(difference.changes).filter(
    ([path]) =>
      !ignored.some(
        (name) => path === name || (/^[.[]/.test(path.slice(name.length)) && path.startsWith(name)),
      ),
  );
  return { ...difference, changes: Object.fromEntries(kept) };
}

/** The provider's own settings: without Pulumi's, and with what Pulumi hands over as JSON text decoded. */
function settingsOf(values: Properties): Properties {
  const { version: _version, pluginDownloadURL: _url, ...settings } = values;
  return Object.fromEntries(
    Object.entries(settings).filter(([name, value]) => !name.startsWith("__") && value !== null),
  );
}

function nameOf(request: Request): string {
  return request.getName() || request.getUrn().split("::").at(-1);
}

function read(message: Struct | undefined) {
  return unwrap((message?.toJavaScript() ?? {}) as Properties);
}

function struct(values: Properties, secrets: SecretPaths): Struct {
  return structs.Struct.fromJavaScript(
    wrap(values, secrets) as Parameters<typeof structs.Struct.fromJavaScript>[0],
  );
}

function checkFailure({ property, reason }: { property: string; reason: string }) {
  const failure = new proto.CheckFailure();
  failure.setProperty(property);
  failure.setReason(reason);
  return failure;
}

/** As much of a schema as `pulumi` needs to know the provider's types. */
function schemaOf(provider: Provider) {
  return {
    name: provider.name,
    version: provider.version,
    resources: Object.fromEntries(provider.resources.map(({ type }) => [type, {}])),
    functions: Object.fromEntries((provider.functions ?? []).map(({ token }) => [token, {}])),
  };
}
