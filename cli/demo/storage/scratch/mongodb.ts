import type { Db } from "mongodb";
import type { Data } from "../data.ts";

/** Fills the database `demo`. Ids are texts, because FerretDB looks only such up by its index. */
export async function loadMongodb(database: Db, data: Data): Promise<void> {
  const collection = (name: string) => database.collection<{ _id: string }>(name);
  await collection("people").insertMany(
    data.people.map(({ id, ...person }) => ({ _id: String(id), ...person })),
  );
  await collection("products").insertMany(
    data.products.map(({ sku, fields, ...product }) => ({ _id: sku, ...product, ...fields })),
  );
  await collection("orders").insertMany(
    data.orders.map(({ id, person, lines }) => ({ _id: String(id), person: String(person), lines })),
  );
  await collection("products").createIndex({ category: 1 });
  await collection("orders").createIndex({ "lines.sku": 1 });
}

export async function removeFromMongodb(database: Db): Promise<void> {
  await database.dropDatabase();
}
