import { serve } from "@lab/provider-base";
import {
  aclPolicyHandler,
  aclTokenHandler,
  aclTokenPolicyAttachmentHandler,
  tokenSecretFunction,
} from "./acl.ts";
import { configEntryHandler } from "./config-entry.ts";
import { configurationSchema } from "./configuration.ts";
import { keyPrefixHandler } from "./key-prefix.ts";

await serve({
  name: "consul",
  version: "3.15.1",
  config: configurationSchema,
  resources: [
    keyPrefixHandler,
    configEntryHandler,
    aclPolicyHandler,
    aclTokenHandler,
    aclTokenPolicyAttachmentHandler,
  ],
  functions: [tokenSecretFunction],
});
