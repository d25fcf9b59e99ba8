import type { Login } from "../shop-client.ts";
import { pick, seededRandom } from "./random.ts";

/** A request to the gateway. Each is a PUT, so that sending it again changes nothing. */
export interface SeedRequest {
  path: string;
  body?: unknown;
  /** Who sends it, if not the administrator. */
  as?: Login;
}

/** Requests that need no other to have been answered before, apart from those of earlier steps. */
export interface SeedStep {
  name: string;
  requests: SeedRequest[];
}

/** One of the examples can log in. Everybody may know how: there is nothing of worth behind it. */
export const riya: Login = { email: "riya@example.org", password: "lake view one" };

/** Cities, with streets: places of the examples. */
const cities = ["Pune", "Delhi", "Mumbai", "Chennai", "Kolkata", "Jaipur"] as const;
const streets = ["Station Road", "Lake View", "Temple Street", "Market Lane", "Garden Road"] as const;

/** Shoppers that no example names are numbered, because nobody like them exists. */
const shopperCount = 40;
const firstShopper = 201;

/** The example data: the people and queries of the notes, and enough more for a report to have something to say. */
export function seedSteps(seed = 1): SeedStep[] {
  const random = seededRandom(seed);
  const shoppers = Array.from({ length: shopperCount }, (_, index) => firstShopper + index);
  const friendships = friendshipsOf(seededRandom(seed), shoppers);
  const shopperName = (id: number) => `Shopper ${id}`;
  return [
    {
      name: "users",
      requests: [
        { path: "/api/users/101", body: { name: "Riya", age: 22, ...riya } },
        { path: "/api/users/102", body: { name: "Sneha", email: "sneha@example.org", age: 21 } },
        { path: "/api/users/103", body: { name: "Arjun", email: "arjun@example.org", age: 23 } },
        ...shoppers.map((id) => ({
          path: `/api/users/${id}`,
          body: {
            name: shopperName(id),
            email: `shopper-${id}@example.org`,
            age: 18 + Math.floor(random() * 50),
          },
        })),
      ],
    },
    {
      name: "addresses",
      requests: [
        { path: "/api/users/101/addresses/home", body: { street: "Lake View 1", city: "Pune" } },
        { path: "/api/users/102/addresses/home", body: { street: "Garden Road 2", city: "Delhi" } },
        ...shoppers.map((id) => ({
          path: `/api/users/${id}/addresses/home`,
          body: { street: `${pick(random, streets)} ${id}`, city: pick(random, cities) },
        })),
      ],
    },
    {
      name: "students",
      requests: [
        { path: "/api/users/students/1", body: { name: "Riya", class: 10, marks: 89 } },
        { path: "/api/users/students/2", body: { name: "Sneha", class: 10, marks: 92 } },
        { path: "/api/products/students/1", body: { name: "Riya", class: 10, marks: 89 } },
        { path: "/api/products/students/2", body: { name: "Sneha", hobbies: ["music", "painting"] } },
      ],
    },
    { name: "products", requests: products.map(([sku, body]) => ({ path: `/api/products/${sku}`, body })) },
    {
      name: "keys",
      requests: [
        { path: "/api/cart/profiles/101", body: { name: "Riya", age: 22, city: "Pune" } },
        { path: "/api/cart/profiles/102", body: { name: "Sneha", age: 21, city: "Delhi" } },
        { path: "/api/cart/me/items/jacket-1", body: { quantity: 1 }, as: riya },
        { path: "/api/cart/me/items/book-1", body: { quantity: 2 }, as: riya },
      ],
    },
    {
      name: "wide rows",
      requests: [
        ...columns(1, { name: "Riya", age: 22, city: "Pune" }),
        ...columns(2, { name: "Sneha", score: 98, level: "Pro" }),
      ],
    },
    {
      name: "events",
      requests: [101, 102, ...shoppers].flatMap((id) =>
        Array.from({ length: 5 }, (_, index) => ({
          path: `/api/analytics/users/${id}/events/seed-${index + 1}`,
          body: {
            at: new Date(Date.UTC(2025, 9, 28, 8 + index * 2, Math.floor(random() * 60))).toISOString(),
            type: pick(random, ["viewed", "searched", "added-to-cart"]),
            attributes: { sku: pick(random, products)[0] },
          },
        })),
      ),
    },
    {
      name: "people",
      // They are told to the graph as well as to the users, so that nothing waits for an event to arrive.
      requests: [
        person(101, "Riya"),
        person(102, "Sneha"),
        person(103, "Arjun"),
        ...shoppers.map((id) => person(id, shopperName(id))),
      ],
    },
    { name: "friends", requests: friendships.map(([one, other]) => friends(one, other)) },
    {
      // What lies behind a friend is shown to those who are friends in both directions.
      name: "friends in return",
      requests: friendships.map(([one, other]) => friends(other, one)),
    },
  ];
}

/** Products that have little in common: each kind has fields that the others lack. */
const products: ReadonlyArray<[sku: string, product: Record<string, unknown>]> = [
  [
    "jacket-1",
    { name: "Rain jacket", category: "clothing", priceCents: 7900, sizes: ["S", "M", "L"], waterproof: true },
  ],
  [
    "jacket-2",
    { name: "Wool jacket", category: "clothing", priceCents: 12900, sizes: ["M", "L"], material: "wool" },
  ],
  ["shoe-1", { name: "Trail shoe", category: "shoes", priceCents: 9900, size: { eu: 42 }, color: "red" }],
  ["shoe-2", { name: "City shoe", category: "shoes", priceCents: 8900, size: { eu: 38 }, color: "black" }],
  [
    "book-1",
    { name: "Graphs for everyone", category: "books", priceCents: 2900, pages: 320, language: "en" },
  ],
  ["book-2", { name: "Tables and trees", category: "books", priceCents: 3400, pages: 280, language: "en" }],
  ["lamp-1", { name: "Desk lamp", category: "home", priceCents: 4500, watts: 8, dimmable: true }],
  ["tea-1", { name: "Assam tea", category: "food", priceCents: 900, grams: 250, organic: true }],
];

function columns(row: number, values: Record<string, string | number>): SeedRequest[] {
  return Object.entries(values).map(([column, value]) => ({
    path: `/api/analytics/rows/${row}/${column}`,
    body: { value },
  }));
}

function person(id: number, name: string): SeedRequest {
  return { path: `/api/social/people/${id}`, body: { name } };
}

/** Who is whose friend, in both directions. Riya has one friend, as in the notes. */
function friendshipsOf(random: () => number, shoppers: number[]): Array<[one: number, other: number]> {
  const at = (index: number) => shoppers[index % shopperCount] as number;
  return [
    [101, 102],
    [102, 103],
    [103, firstShopper],
    // A ring of shoppers, so that every two are joined by a path, and some shorter ways across.
    ...shoppers.map((id, index): [number, number] => [id, at(index + 1)]),
    ...Array.from({ length: 10 }, (): [number, number] => {
      const from = pick(random, shoppers);
      return [from, at(from - firstShopper + 3 + Math.floor(random() * 30))];
    }),
  ];
}

function friends(id: number, friend: number): SeedRequest {
  return { path: `/api/social/people/${id}/friends/${friend}` };
}
