import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "@hono/zod-openapi";
import { createApp, defineService } from "@lab/service-kit";
import { wantKey } from "./access.ts";
import { Behaviour, behaviourRoutes, misbehaving } from "./behaviour.ts";
import { chargeRoutes } from "./charges.ts";
import { Ledger } from "./ledger.ts";
import { ledgerRoutes } from "./ledger-routes.ts";

const rate = z.coerce.number().min(0).max(1).default(0);

const environment = z.object({
  DATA_DIR: z.string().min(1),
  PROVIDER_API_KEY: z.string().min(16),
  PROVIDER_LATENCY_MS: z.coerce.number().int().min(0).max(60_000).default(0),
  PROVIDER_FAILURE_RATE: rate,
  PROVIDER_LOST_ANSWER_RATE: rate,
  PROVIDER_DECLINE_ABOVE_CENTS: z.coerce.number().int().min(0).default(1_000_000),
});

/** An outside company: it knows nothing of the shop, and the shop nothing of its ledger but what its interface says. */
export const service = defineService({
  environment,
  async start({ environment, log, isStopping }) {
    mkdirSync(environment.DATA_DIR, { recursive: true, mode: 0o700 });
    const ledger = new Ledger(join(environment.DATA_DIR, "ledger.db"));
    const behaviour = new Behaviour({
      latencyMs: environment.PROVIDER_LATENCY_MS,
      failureRate: environment.PROVIDER_FAILURE_RATE,
      lostAnswerRate: environment.PROVIDER_LOST_ANSWER_RATE,
    });
    const app = createApp({
      name: environment.SERVICE_NAME,
      description: "A payment provider with a ledger of its own, and the failures of one.",
      log,
      isStopping,
      backends: { ledger: async () => ledger.check() },
    });
    wantKey(app, environment.PROVIDER_API_KEY);
    app.use("/v1/charges/*", misbehaving(behaviour));
    chargeRoutes(app, ledger, environment.PROVIDER_DECLINE_ABOVE_CENTS);
    ledgerRoutes(app, ledger);
    behaviourRoutes(app, behaviour);
    return { app, close: async () => ledger.close() };
  },
});
