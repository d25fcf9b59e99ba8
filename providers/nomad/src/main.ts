import { serve } from "@lab/provider-base";
import { aclBootstrapHandler, aclPolicyHandler, aclTokenHandler } from "./acl.ts";
import { configurationSchema } from "./configuration.ts";
import { jobHandler } from "./job.ts";
import { namespaceHandler } from "./namespace.ts";
import { schedulerConfigHandler } from "./scheduler.ts";
import { variableHandler } from "./variable.ts";

await serve({
  name: "nomad",
  version: "0.1.0",
  config: configurationSchema,
  resources: [
    jobHandler,
    namespaceHandler,
    variableHandler,
    aclPolicyHandler,
    aclTokenHandler,
    aclBootstrapHandler,
    schedulerConfigHandler,
  ],
});
