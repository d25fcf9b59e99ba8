import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  begun,
  type Fact,
  ImpossibleFactError,
  isUnsettled,
  learn,
  type Outcome,
  type Payment,
  voidedPayment,
} from "./payment.ts";

/** Learns one fact after another. */
function after(facts: Fact[], payment: Payment = begun): { payment: Payment; outcomes: Outcome[] } {
  const outcomes: Outcome[] = [];
  let now = payment;
  for (const fact of facts) {
    const step = learn(now, fact);
    now = step.payment;
    outcomes.push(...(step.outcome ? [step.outcome] : []));
  }
  return { payment: now, outcomes };
}

const unanswered: Fact = { kind: "unanswered" };
const charged: Fact = { kind: "charged", chargeId: "ch_1" };
const declined: Fact = { kind: "declined", reason: "insufficient funds" };
const cancelled: Fact = { kind: "cancelled", reason: "changed my mind" };
const refunded: Fact = { kind: "refunded", refundId: "re_1" };

describe("one fact after another", () => {
  test.each<[string, Fact[], Payment["state"], Outcome[]]>([
    ["charged", [charged], "captured", ["captured"]],
    ["declined", [declined], "declined", ["declined"]],
    ["no answer", [unanswered], "unknown", []],
    ["no answer, then found", [unanswered, charged], "captured", ["captured"]],
    ["cancelled after the charge", [charged, cancelled], "refunding", ["captured"]],
    ["refunded", [charged, cancelled, refunded], "refunded", ["captured", "refunded"]],
    [
      "cancelled while the charge is under way",
      [unanswered, cancelled, charged, refunded],
      "refunded",
      ["refunded"],
    ],
    ["cancelled while it is being declined", [cancelled, declined], "voided", ["voided"]],
    ["declined, and cancelled at the same time", [declined, cancelled], "voided", ["declined", "voided"]],
    ["charged after all was over", [declined, charged, refunded], "refunded", ["declined", "refunded"]],
  ])("%s", (_what, facts, state, outcomes) => {
    const result = after(facts);
    expect(result.payment.state).toBe(state);
    expect(result.outcomes).toEqual(outcomes);
  });

  test("an order that was cancelled first is not charged", () => {
    const payment = voidedPayment("changed my mind");
    expect(isUnsettled(payment)).toBe(false);
    expect(learn(payment, cancelled)).toEqual({ payment });
  });

  test.each<[string, Fact[]]>([
    ["two charges", [charged, { kind: "charged", chargeId: "ch_2" }]],
    ["a charge that was declined", [charged, declined]],
    ["a refund without a charge", [refunded]],
    ["a refund that nobody asked for", [charged, refunded]],
  ])("%s can't be", (_what, facts) => {
    expect(() => after(facts)).toThrow(ImpossibleFactError);
  });
});

/** What a provider that keeps its word can let us know, in any order and as often as it likes. */
function storyOf(accepts: boolean) {
  const known: Fact[] = [unanswered, accepts ? charged : declined, cancelled];
  return fc.array(fc.constantFrom(...known), { maxLength: 12 });
}

/** Asks the provider until nothing is open, as the service does. */
function settle(payment: Payment, accepts: boolean) {
  const facts: Fact[] = [];
  let now = payment;
  while (isUnsettled(now)) {
    const fact = now.state === "refunding" ? refunded : accepts ? charged : declined;
    facts.push(fact);
    now = learn(now, fact).payment;
  }
  return facts;
}

describe("in any order and any number", () => {
  test("a payment comes to rest, and the money is where the announcements say", () => {
    fc.assert(
      fc.property(
        fc.boolean().chain((accepts) => fc.tuple(fc.constant(accepts), storyOf(accepts))),
        ([accepts, story]) => {
          const told = after(story);
          const facts = [...story, ...settle(told.payment, accepts)];
          const { payment, outcomes } = after(facts);
          expect(isUnsettled(payment)).toBe(false);
          // Each is said once at most.
          expect(new Set(outcomes).size).toBe(outcomes.length);
          const wasCancelled = story.includes(cancelled);
          expect(payment.state).toBe(
            accepts ? (wasCancelled ? "refunded" : "captured") : wasCancelled ? "voided" : "declined",
          );
          expect(outcomes.at(-1)).toBe(payment.state);
          // Given back exactly if taken and cancelled.
          expect(payment.refundId !== null).toBe(accepts && wasCancelled);
        },
      ),
    );
  });

  test("each fact said twice is the same as said once", () => {
    fc.assert(
      fc.property(fc.boolean().chain(storyOf), (story) => {
        expect(after(story.flatMap((fact) => [fact, fact]))).toEqual(after(story));
      }),
    );
  });
});

test.each([declined, cancelled])("a $kind reason that is longer than events allow is cut short", (fact) => {
  const { payment } = learn(begun, { ...fact, reason: "x".repeat(501) } as Fact);
  expect((payment.declineReason ?? payment.cancelReason)?.length).toBe(500);
});
