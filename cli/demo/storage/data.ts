import { pick, seededRandom } from "../../seed/random.ts";

/** The same data for every store: what people bought, what is counted about them, and who is whose friend. */
export interface Data {
  people: Person[];
  products: Product[];
  orders: Order[];
  counts: Counts[];
  friendships: Array<[person: number, friend: number]>;
}

export interface Person {
  id: number;
  name: string;
  age: number;
  city: string;
}

export interface Product {
  sku: string;
  name: string;
  category: Category;
  priceCents: number;
  /** What only products of its kind have. */
  fields: Record<string, string | number | boolean>;
}

export interface Order {
  id: number;
  person: number;
  lines: Array<{ sku: string; category: Category; quantity: number; cents: number }>;
}

/** What is counted about a person: for each another choice of {@link countNames}. */
export interface Counts {
  person: number;
  values: Record<string, number>;
}

const sizes = { people: 2000, productsOfAKind: 50, orders: 4000, friendsEach: 4 };

const cities = ["Pune", "Delhi", "Mumbai", "Chennai", "Kolkata", "Jaipur"] as const;

const colors = ["red", "black", "white", "green"] as const;

/** The kinds of products, each with fields of its own. */
const kinds = {
  shoes: (random) => ({ size: between(random, 36, 46), color: pick(random, colors) }),
  clothing: (random) => ({
    material: pick(random, ["wool", "cotton", "linen"]),
    waterproof: random() < 0.3,
    color: pick(random, colors),
  }),
  books: (random) => ({ pages: between(random, 80, 900), language: pick(random, ["en", "hi", "mr"]) }),
  food: (random) => ({ grams: between(random, 1, 20) * 50, organic: random() < 0.5 }),
  home: (random) => ({ watts: between(random, 3, 60), dimmable: random() < 0.5 }),
  toys: (random) => ({ fromAge: between(random, 1, 12) }),
} satisfies Record<string, (random: () => number) => Product["fields"]>;

type Category = keyof typeof kinds;

/** Everything that is counted about anybody: columns of which most people lack most. */
export const countNames = ["posts", "stories", "reels", "photos", "polls", "lives", "ads", "events"].flatMap(
  (thing) => ["likes", "comments", "views", "shares", "reactions"].map((what) => `${thing}_${what}`),
);

/** Data that is the same for the same seed. */
export function demoData(seed = 1): Data {
  const random = seededRandom(seed);
  const people = numbers(sizes.people).map((id) => ({
    id,
    name: `Person ${id}`,
    age: between(random, 18, 77),
    city: pick(random, cities),
  }));
  const products = Object.entries(kinds).flatMap(([category, fields]) =>
    numbers(sizes.productsOfAKind).map((number) => ({
      sku: `${category}-${number}`,
      name: `${category} ${number}`,
      category: category as Category,
      priceCents: between(random, 3, 200) * 100 - 1,
      fields: fields(random),
    })),
  );
  return {
    people,
    products,
    orders: numbers(sizes.orders).map((number) => ({
      id: number,
      person: between(random, 1, sizes.people),
      lines: numbers(between(random, 1, 4)).map(() => {
        const { sku, category, priceCents } = pick(random, products);
        const quantity = between(random, 1, 3);
        return { sku, category, quantity, cents: quantity * priceCents };
      }),
    })),
    counts: people.map(({ id }) => ({
      person: id,
      values: Object.fromEntries(
        numbers(between(random, 3, 9)).map(() => [pick(random, countNames), between(random, 1, 1000)]),
      ),
    })),
    friendships: people.flatMap(({ id }) =>
      friendsOf(random, id).map((friend): [number, number] => [id, friend]),
    ),
  };
}

/** Others, each once. */
function friendsOf(random: () => number, person: number): number[] {
  const friends = new Set<number>();
  while (friends.size < sizes.friendsEach) {
    const friend = between(random, 1, sizes.people);
    if (friend !== person) {
      friends.add(friend);
    }
  }
  return [...friends];
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** A whole number, both ends included. */
function between(random: () => number, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}
