import { createHash, randomInt } from "node:crypto";
import type { ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, jsonBody, Problem, reply } from "@lab/service-kit";
import type { MiddlewareHandler } from "hono";
import { withKey } from "./access.ts";

const rate = z.number().min(0).max(1).default(0);
const maxSeed = 2 ** 32 - 1;

const behaviourInput = z
  .object({
    latencyMs: z.number().int().min(0).max(60_000).default(0),
    failureRate: rate,
    lostAnswerRate: rate,
    seed: z.number().int().min(0).max(maxSeed).optional(),
  })
  .openapi("BehaviourInput");

const behaviour = behaviourInput.required().openapi("Behaviour");

/** How badly the provider behaves towards requests for charges. */
export type BehaviourSettings = z.infer<typeof behaviour>;

/** How the provider behaves at the moment: the same seed and the same requests give the same failures. */
export class Behaviour {
  #settings: BehaviourSettings;
  #draws = 0;

  constructor(settings: z.input<typeof behaviourInput>) {
    this.#settings = complete(settings);
  }

  get settings(): BehaviourSettings {
    return this.#settings;
  }

  /** Takes other settings and begins with their seed anew. */
  set(settings: z.input<typeof behaviourInput>): void {
    this.#settings = complete(settings);
    this.#draws = 0;
  }

  /** True as often as the rate says: 0 never, 1 always. */
  happens(rate: number): boolean {
    this.#draws += 1;
    const drawn = createHash("sha256").update(`${this.#settings.seed} ${this.#draws}`).digest();
    return drawn.readUInt32BE() / 2 ** 32 < rate;
  }
}

function complete(settings: z.input<typeof behaviourInput>): BehaviourSettings {
  return { ...behaviourInput.parse(settings), seed: settings.seed ?? randomInt(maxSeed) };
}

/**
 * Makes requests slow, fail without effect, or lose their answer after their effect: then the connection ends, and the caller
 * can't know that the ledger has what it asked for.
 */
export function misbehaving(behaviour: Behaviour): MiddlewareHandler<AppEnvironment> {
  return async (c, next) => {
    const { latencyMs, failureRate, lostAnswerRate } = behaviour.settings;
    await delay(latencyMs);
    if (behaviour.happens(failureRate)) {
      c.header("retry-after", "1");
      throw new Problem(503, "The provider fails on purpose: nothing was charged or refunded. Try again.");
    }
    await next();
    if (c.req.method === "POST" && c.res.status === 201 && behaviour.happens(lostAnswerRate)) {
      c.get("log").info("the answer is lost on purpose");
      (c.env as { outgoing: ServerResponse }).outgoing.destroy();
    }
  };
}

/** Reads and changes the behaviour of a running provider; a restarted one behaves as its environment says. */
export function behaviourRoutes(app: OpenAPIHono<AppEnvironment>, current: Behaviour): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/behaviour",
      summary: "How the provider behaves",
      ...withKey,
      responses: reply(200, "Its latency, how often it fails, and how often its answers are lost", behaviour),
    }),
    (c) => c.json(current.settings, 200),
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/v1/behaviour",
      summary: "Make the provider behave otherwise, until its next start",
      ...withKey,
      request: { body: jsonBody(behaviourInput) },
      responses: reply(200, "How it behaves now", behaviour),
    }),
    (c) => {
      current.set(c.req.valid("json"));
      return c.json(current.settings, 200);
    },
  );
}
