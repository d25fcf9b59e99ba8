import { serve } from "@lab/provider-base";
import { z } from "zod";
import { bundleHandler } from "./bundle.ts";
import { processHandler } from "./process.ts";
import { secretHandler } from "./secret.ts";

await serve({
  name: "host",
  version: "0.1.0",
  config: z.object({}),
  resources: [processHandler, bundleHandler, secretHandler],
});
