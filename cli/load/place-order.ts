import { randomUUID } from "node:crypto";
import { request } from "undici";

/** Who orders what, where. */
export interface OrderOptions {
  /** Of an instance of the order service. */
  origin: string;
  token: string;
  lines: ReadonlyArray<{ sku: string; quantity: number }>;
}

/** What a customer has seen of an order. */
export interface PlacedOrder {
  /** 0 when there was no answer. */
  status: number;
  /** Also of an order that was accepted and then failed, as far as the answer says. */
  orderId?: string;
  /** Milliseconds since 1970. */
  sentAtMs: number;
  answeredAtMs: number;
  /** From one to the other, by a clock that nobody sets. */
  tookMs: number;
}

/** Places an order with a new key, whatever the answer. */
export async function placeOrder({ origin, token, lines }: OrderOptions): Promise<PlacedOrder> {
  const sentAtMs = Date.now();
  const startedMs = performance.now();
  const { status, orderId } = await post(origin, token, JSON.stringify({ lines }));
  return { status, orderId, sentAtMs, answeredAtMs: Date.now(), tookMs: performance.now() - startedMs };
}

async function post(
  origin: string,
  token: string,
  body: string,
): Promise<Pick<PlacedOrder, "status" | "orderId">> {
  try {
    const answer = await request(new URL("/api/orders", origin), {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "idempotency-key": randomUUID(),
      },
      body,
    });
    const { orderId } = (await answer.body.json()) as { orderId?: string };
    return { status: answer.statusCode, orderId };
  } catch {
    return { status: 0 };
  }
}
