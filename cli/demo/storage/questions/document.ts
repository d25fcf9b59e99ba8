import { cypher, explain, mongo, sorted, sql } from "../asks.ts";
import { type Ask, question } from "../question.ts";
import { compare } from "../words.ts";

/** The rows of each product, put together to what a document is from the start. */
function assembled(rows: Array<Record<string, unknown>>): unknown[] {
  const products = new Map<string, Record<string, unknown>>();
  for (const { sku, name, category, price_cents, field, type, value } of rows) {
    const product = products.get(sku as string) ?? { sku, name, category, priceCents: price_cents };
    products.set(sku as string, {
      ...product,
      [field as string]: type === "string" ? value : JSON.parse(value as string),
    });
  }
  return sorted([...products.values()].map(inOrder));
}

/** With its fields in the order of their names. */
function inOrder(product: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(product).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

const joinedByClient: Ask = {
  store: "mongodb",
  way: "joined by the client",
  statement: `orders.find({"lines.sku": "food-7"}, {person: 1})
people.find({_id: {$in: [/* the persons of these orders */]}, city: "Pune"}, {name: 1})`,
  async run({ mongodb }) {
    const orders = await mongodb
      .collection<{ _id: string; person: string }>("orders")
      .find({ "lines.sku": "food-7" }, { projection: { person: 1 } })
      .toArray();
    const people = await mongodb
      .collection<{ _id: string; name: string }>("people")
      .find({ _id: { $in: orders.map(({ person }) => person) }, city: "Pune" }, { projection: { name: 1 } })
      .toArray();
    return { answer: sorted(people.map(({ name }) => name)), requests: 2 };
  },
  plan: async ({ mongodb }) => [
    ...(await explain(mongodb, "orders", { "lines.sku": "food-7" })),
    ...(await explain(mongodb, "people", { _id: { $in: ["1", "2"] }, city: "Pune" })),
  ],
};

export const document = [
  question({
    model: "document",
    side: "best",
    text: "Which clothes are waterproof and of wool, with all that is known of each?",
    asks: {
      documents: mongo(
        'products.find({category: "clothing", material: "wool", waterproof: true})',
        (documents) => sorted(documents.map(({ _id, ...product }) => inOrder({ sku: _id, ...product }))),
      ),
      fields: sql(
        `SELECT products.sku, products.name, products.category, products.price_cents, fields.field, fields.type, fields.value
FROM products
JOIN product_fields AS material
  ON material.sku = products.sku AND material.field = 'material' AND material.value = 'wool'
JOIN product_fields AS waterproof
  ON waterproof.sku = products.sku AND waterproof.field = 'waterproof' AND waterproof.value = 'true'
JOIN product_fields AS fields ON fields.sku = products.sku
WHERE products.category = 'clothing'
-- the client puts the rows of each product together`,
        assembled,
        { way: "a row for each field" },
      ),
      json: sql(
        `SELECT document FROM product_documents
WHERE JSON_VALUE(document, '$.category') = 'clothing'
  AND JSON_VALUE(document, '$.material') = 'wool'
  AND JSON_VALUE(document, '$.waterproof') = TRUE`,
        (rows) =>
          sorted(
            rows.map(({ document }) =>
              inOrder(
                (typeof document === "string" ? JSON.parse(document) : document) as Record<string, unknown>,
              ),
            ),
          ),
        { way: "a JSON column" },
      ),
    },
    lesson: ({ documents, fields, json }) =>
      `A document is stored as it is asked for; with rows each field that is asked for is another join, or the column holds a document. ${compare(documents, fields)}; ${compare(documents, json)}${
        documents.plan.some((line) => line.includes("every document"))
          ? "; the stand-in reads the whole collection, where a mongod goes by an index"
          : ""
      }.`,
  }),
  question({
    model: "document",
    side: "badly",
    text: "Who of Pune has bought food 7?",
    asks: {
      lookup: mongo(
        `orders.aggregate([
  {$match: {"lines.sku": "food-7"}},
  {$lookup: {from: "people", localField: "person", foreignField: "_id", as: "buyer"}},
  {$match: {"buyer.city": "Pune"}},
  {$unwind: "$buyer"},
  {$group: {_id: "$buyer.name"}}
])`,
        (documents) => sorted(documents.map(({ _id }) => _id)),
        { way: "$lookup", mayRefuse: true },
      ),
      client: joinedByClient,
      join: sql(
        `SELECT DISTINCT people.name
FROM order_lines
JOIN orders ON orders.id = order_lines.order_id
JOIN people ON people.id = orders.person_id
WHERE order_lines.sku = 'food-7' AND people.city = 'Pune'`,
        (rows) => sorted(rows.map(({ name }) => name)),
      ),
      path: cypher(
        'MATCH (person:DemoPerson {city: "Pune"})-[:BOUGHT]->(:DemoProduct {sku: "food-7"}) RETURN DISTINCT person.name AS name',
        (rows) => sorted(rows.map(({ name }) => name)),
      ),
    },
    lesson: ({ lookup, client, join, path }) =>
      `What leads from one document to another is not in either${
        lookup.refused === undefined ? "" : ", and this document store can't follow it"
      }: the client asks ${client.requests} times. ${compare(client, join)}; ${compare(join, path)}.`,
  }),
];
