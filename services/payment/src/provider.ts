import { z } from "zod";

/** What the provider knows of an order's charge. */
export interface Charge {
  id: string;
  status: "captured" | "declined";
  /** Why it was declined. */
  reason?: string;
}

/** The provider can't have done anything: it was not reached, or did not let us in. */
export class ProviderAwayError extends Error {
  override name = "ProviderAwayError";
}

/** The provider may have done what it was asked: no answer came in time, or none that can be read. */
export class ProviderUnclearError extends Error {
  override name = "ProviderUnclearError";
}

/** The provider says that it won't do this, now or later. */
export class ProviderRefusedError extends Error {
  override name = "ProviderRefusedError";
}

export interface ProviderOptions {
  url: string;
  apiKey: string;
  /** How long one answer may take. */
  timeoutMs: number;
}

/** As events can hold it: what is longer can't be written down, and so is no usable answer. */
const providersId = z.string().min(1).max(64);

const chargeSchema = z.object({
  id: providersId,
  reference: z.string(),
  amountCents: z.number().int(),
  status: z.enum(["captured", "declined"]),
  reason: z.string().optional(),
});

const refundSchema = z.object({ id: providersId });

/** Errors of a connection that never came to be (https://nodejs.org/api/errors.html#common-system-errors). */
const neverConnected = new Set(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

/**
 * The payment provider, an outside company. Everything that moves money has an idempotency key made of the order's id, so that
 * the same request can be sent again when nobody knows what became of the first.
 */
export class Provider {
  readonly #options: ProviderOptions;

  constructor(options: ProviderOptions) {
    this.#options = options;
  }

  /** Charges for an order, once however often it is asked. */
  async charge(order: { orderId: string; amountCents: number; userId: number }): Promise<Charge> {
    const body = { reference: order.orderId, amountCents: order.amountCents, customer: String(order.userId) };
    return await this.#ask("POST", "/v1/charges", chargeSchema, body, order.orderId);
  }

  /** The charge for an order, if the provider has made or declined one. */
  async find(orderId: string): Promise<Charge | undefined> {
    const path = `/v1/charges?${new URLSearchParams({ reference: orderId })}`;
    const { charges } = await this.#ask("GET", path, z.object({ charges: z.array(chargeSchema) }));
    return charges.find(({ status }) => status === "captured") ?? charges[0];
  }

  /** Gives an order's charge back, once however often it is asked. */
  async refund(order: { orderId: string; chargeId: string; amountCents: number }): Promise<{ id: string }> {
    const path = `/v1/charges/${encodeURIComponent(order.chargeId)}/refunds`;
    return await this.#ask(
      "POST",
      path,
      refundSchema,
      { amountCents: order.amountCents },
      `${order.orderId}:refund`,
    );
  }

  async #ask<S extends z.ZodType>(
    method: string,
    path: string,
    schema: S,
    body?: object,
    idempotencyKey?: string,
  ): Promise<z.infer<S>> {
    const { url, apiKey, timeoutMs } = this.#options;
    const what = `${method} ${path.split("?")[0]}`;
    let status: number;
    let answer: unknown;
    try {
      const response = await fetch(new URL(path, url), {
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(body ? { "content-type": "application/json" } : {}),
          ...(idempotencyKey ? { "idempotency-key": idempotencyKey } : {}),
        },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      status = response.status;
      answer = await response.json();
    } catch (error) {
      const code =
        ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? (error as Error).name;
      throw neverConnected.has(code)
        ? new ProviderAwayError(`The payment provider can't be reached (${code}).`)
        : new ProviderUnclearError(`The payment provider gave no usable answer to ${what} (${code}).`);
    }
    if (status === 401 || status === 403 || status === 429) {
      throw new ProviderAwayError(
        `The payment provider did not let us in: it answered ${what} with ${status}.`,
      );
    }
    if (status >= 400 && status < 500 && status !== 408 && status !== 409) {
      throw new ProviderRefusedError(`The payment provider refused ${what} with ${status}.`);
    }
    const parsed = status < 300 ? schema.safeParse(answer) : undefined;
    if (!parsed?.success) {
      throw new ProviderUnclearError(
        `The payment provider answered ${what} with ${status}, and nothing usable.`,
      );
    }
    return parsed.data;
  }
}
