import { createRequire } from "node:module";
import * as grpc from "@grpc/grpc-js";

const require = createRequire(import.meta.url);
const { EngineClient } = require("@pulumi/pulumi/proto/engine_grpc_pb.js");
const proto: typeof import("@pulumi/pulumi/proto/engine_pb.js") = require("@pulumi/pulumi/proto/engine_pb.js");

const severities = {
  debug: proto.LogSeverity.DEBUG,
  info: proto.LogSeverity.INFO,
  warning: proto.LogSeverity.WARNING,
  error: proto.LogSeverity.ERROR,
} as const;

/** The engine that started the provider, for lines beside a resource. Without one they go to standard error. */
export class Engine {
  #client: InstanceType<typeof EngineClient> | undefined;

  /** @param address `host:port`, the first argument of a provider's process */
  constructor(address?: string) {
    if (address) {
      this.connect(address);
    }
  }

  connect(address: string): void {
    this.#client = new EngineClient(address, grpc.credentials.createInsecure());
  }

  log(severity: keyof typeof severities, message: string, urn: string): void {
    if (!this.#client) {
      process.stderr.write(`${severity}: ${message}\n`);
      return;
    }
    const request = new proto.LogRequest();
    request.setSeverity(severities[severity]);
    request.setMessage(message);
    request.setUrn(urn);
    // A line that can't be shown is no reason to fail the resource.
    this.#client.log(request, () => undefined);
  }
}
