import { ServiceAwayError } from "@lab/discovery";
import { beforeEach, describe, expect, test } from "vitest";
import { freshMs, PriceList } from "./prices.ts";

let asked: string[];
let nowMs: number;
let answer: () => Promise<{ status: number; body: unknown }>;

beforeEach(() => {
  asked = [];
  nowMs = 0;
  answer = async () => ({ status: 200, body: { name: "Jacket", priceCents: 7900, waterproof: true } });
});

function priceList(maxSkus?: number): PriceList {
  return new PriceList({
    product: {
      request({ path }) {
        asked.push(path);
        return answer();
      },
    },
    now: () => nowMs,
    maxSkus,
  });
}

async function away(): Promise<never> {
  throw new ServiceAwayError("none", "No instance of product is healthy.");
}

describe("a price", () => {
  test("is asked for once a minute, and once for all who wait for it", async () => {
    const prices = priceList();
    await Promise.all([prices.priceOf("jacket-1"), prices.priceOf("jacket-1")]);
    nowMs = freshMs - 1;
    expect(await prices.priceOf("jacket-1")).toMatchObject({ name: "Jacket", priceCents: 7900 });
    expect(asked).toEqual(["/api/products/jacket-1"]);
    nowMs = freshMs;
    answer = async () => ({ status: 200, body: { name: "Jacket", priceCents: 9900 } });
    expect(await prices.priceOf("jacket-1")).toMatchObject({ priceCents: 9900 });
  });

  test("is the last known one while product is away or unwell", async () => {
    const prices = priceList();
    await prices.priceOf("jacket-1");
    nowMs = 10 * freshMs;
    answer = away;
    expect(await prices.priceOf("jacket-1")).toMatchObject({ priceCents: 7900 });
    answer = async () => ({ status: 503, body: {} });
    expect(await prices.priceOf("jacket-1")).toMatchObject({ priceCents: 7900 });
  });

  test("that was never known is refused while product is away", async () => {
    answer = away;
    await expect(priceList().priceOf("jacket-1")).rejects.toMatchObject({ status: 503 });
  });

  test("of a product that there is not, or no more, is refused", async () => {
    const prices = priceList();
    await prices.priceOf("jacket-1");
    nowMs = freshMs;
    answer = async () => ({ status: 404, body: {} });
    await expect(prices.priceOf("jacket-1")).rejects.toMatchObject({
      status: 422,
      extensions: { sku: "jacket-1" },
    });
    answer = away;
    await expect(prices.priceOf("jacket-1")).rejects.toMatchObject({ status: 503 });
  });

  test.each([
    ["that is not a whole number of cents is no price", { name: "Jacket", priceCents: 0.5 }],
    ["of what is no product at all is none", [{ name: "Riya", marks: 91 }]],
  ])("%s", async (_what, body) => {
    answer = async () => ({ status: 200, body });
    await expect(priceList().priceOf("jacket-1")).rejects.toMatchObject({ status: 422 });
  });

  test("is forgotten when there are too many", async () => {
    const prices = priceList(2);
    for (const sku of ["a", "b", "c"]) {
      await prices.priceOf(sku);
    }
    await prices.priceOf("c");
    expect(asked).toHaveLength(3);
    await prices.priceOf("a");
    expect(asked).toHaveLength(4);
  });
});
