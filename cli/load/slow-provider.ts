import { request } from "undici";
import type { Outputs } from "../outputs.ts";

const timeoutMs = 5000;

/** What is known here of how the provider behaves. */
interface Behaviour {
  latencyMs: number;
}

/**
 * Makes the payment provider take so much longer for each answer.
 *
 * @returns what makes it behave again as it did before
 */
export async function slowProvider(
  { urls, credentials }: Outputs,
  addedMs: number,
): Promise<() => Promise<void>> {
  const ask = async (method: "GET" | "PUT", settings?: Behaviour): Promise<Behaviour> => {
    const { statusCode, body } = await request(new URL("/v1/behaviour", urls.paymentProvider), {
      method,
      headers: {
        authorization: `Bearer ${credentials.paymentProvider.apiKey}`,
        ...(settings ? { "content-type": "application/json" } : {}),
      },
      body: settings ? JSON.stringify(settings) : null,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    if (statusCode !== 200) {
      throw new Error(`The payment provider answered ${method} /v1/behaviour with ${statusCode}.`);
    }
    return (await body.json()) as Behaviour;
  };
  const former = await ask("GET");
  await ask("PUT", { ...former, latencyMs: former.latencyMs + addedMs });
  return async () => {
    await ask("PUT", former);
  };
}
