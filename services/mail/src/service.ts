import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "@hono/zod-openapi";
import { createApp, defineService, listenPort } from "@lab/service-kit";
import { mailRoutes } from "./mails.ts";
import { pages } from "./page.ts";
import { SmtpSink } from "./smtp.ts";
import { MailStore } from "./store.ts";

const environment = z.object({
  DATA_DIR: z.string().min(1),
  SMTP_PORT: listenPort,
});

/** Takes all mail, whomever it is for, delivers none of it, and shows it. */
export const service = defineService({
  environment,
  async start({ environment, log, isStopping }) {
    mkdirSync(environment.DATA_DIR, { recursive: true, mode: 0o700 });
    const store = new MailStore(join(environment.DATA_DIR, "mails.db"));
    const smtp = new SmtpSink(store, log);
    await smtp.listen(environment.SMTP_PORT);
    const app = createApp({
      name: environment.SERVICE_NAME,
      description: "A local SMTP sink that keeps one mail for each Message-ID and shows them.",
      log,
      isStopping,
      backends: { smtp: async () => smtp.check(), store: async () => store.check() },
    });
    mailRoutes(app, store);
    pages(app, store);
    return {
      app,
      async close() {
        await smtp.close();
        store.close();
      },
    };
  },
});
