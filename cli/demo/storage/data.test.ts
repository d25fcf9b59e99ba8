import { expect, test } from "vitest";
import { countNames, demoData } from "./data.ts";

test("the same seed gives the same data", () => {
  expect(demoData(7)).toEqual(demoData(7));
  expect(demoData(7)).not.toEqual(demoData(8));
});

test("there is something to find for each question", () => {
  const { people, products, orders, counts, friendships } = demoData();
  expect(people.filter(({ city }) => city === "Pune").length).toBeGreaterThan(100);
  expect(
    products.filter(({ fields }) => fields.material === "wool" && fields.waterproof === true),
  ).not.toEqual([]);
  const buyers = orders.filter(({ lines }) => lines.some(({ sku }) => sku === "food-7"));
  expect(buyers.filter(({ person }) => people[person - 1]?.city === "Pune")).not.toEqual([]);
  expect(counts.filter(({ values }) => (values.posts_likes ?? 0) > 950)).not.toEqual([]);
  expect(friendships).not.toContainEqual([1, 1999]);
});

test("everybody lacks most of what is counted", () => {
  for (const { values } of demoData().counts) {
    expect(Object.keys(values).length).toBeLessThan(countNames.length / 2);
  }
});

test("nobody is a friend of their own, or twice", () => {
  const { friendships } = demoData();
  expect(friendships.filter(([person, friend]) => person === friend)).toEqual([]);
  expect(new Set(friendships.map(String)).size).toBe(friendships.length);
});
