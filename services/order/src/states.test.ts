import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { after, IllegalMoveError, moves, type OrderState, states, type Trigger, triggers } from "./states.ts";

const anyTrigger = fc.constantFrom(...triggers);

/** Where an order gets by what happens to it; what is refused leaves it as it is. */
function history(happenings: Trigger[]): OrderState[] {
  const path: OrderState[] = ["placed"];
  for (const trigger of happenings) {
    path.push(afterOrSame(path.at(-1) as OrderState, trigger));
  }
  return path;
}

function afterOrSame(state: OrderState, trigger: Trigger): OrderState {
  try {
    return after(state, trigger);
  } catch (error) {
    expect(error).toBeInstanceOf(IllegalMoveError);
    return state;
  }
}

describe("whatever happens in whatever order", () => {
  test("an order only ever makes moves that are allowed", () => {
    fc.assert(
      fc.property(fc.array(anyTrigger, { maxLength: 30 }), (happenings) => {
        const path = history(happenings);
        for (const [index, state] of path.slice(1).entries()) {
          const before = path[index] as OrderState;
          expect(state === before || (moves[before] as readonly string[]).includes(state)).toBe(true);
        }
      }),
    );
  });

  test("an event that comes twice changes nothing the second time", () => {
    fc.assert(
      fc.property(fc.constantFrom(...states), anyTrigger, (state, trigger) => {
        fc.pre(trigger !== "cancel");
        const once = afterOrSame(state, trigger);
        expect(afterOrSame(once, trigger)).toBe(once);
      }),
    );
  });

  test.each(["declined", "refunded", "cancelled"] as const)("an order stays %s", (state) => {
    fc.assert(
      fc.property(anyTrigger, (trigger) => {
        expect(afterOrSame(state, trigger)).toBe(state);
      }),
    );
  });

  test("who cancels in time ends with the order cancelled, whatever was under way", () => {
    const underWay = fc.subarray(["captured", "reserved", "rejected"] as const);
    fc.assert(
      fc.property(
        fc.constantFrom<OrderState>("placed", "paid", "confirmed"),
        underWay,
        fc.constantFrom("voided", "refunded", "declined"),
        underWay,
        (state, before, end, late) => {
          const path = [...before, end, ...late].reduce<OrderState>(after, after(state, "cancel"));
          expect(path).toBe("cancelled");
        },
      ),
    );
  });

  test("every state can be reached", () => {
    const reached = new Set<OrderState>(["placed"]);
    for (const state of reached) {
      for (const trigger of triggers) {
        reached.add(afterOrSame(state, trigger));
      }
    }
    expect([...reached].sort()).toEqual([...states].sort());
  });
});

describe("what can't be is refused", () => {
  test.each([
    ["placed", "reserved"],
    ["placed", "rejected"],
    ["paid", "declined"],
    ["paid", "voided"],
    ["confirmed", "rejected"],
    ["confirmed", "refunded"],
    ["declined", "captured"],
    ["refunding", "cancel"],
    ["cancelling", "cancel"],
    ["cancelled", "cancel"],
    ["refunded", "cancel"],
  ] as const)("an order that is %s can't be told %s", (state, trigger) => {
    expect(() => after(state, trigger)).toThrow(IllegalMoveError);
  });
});
