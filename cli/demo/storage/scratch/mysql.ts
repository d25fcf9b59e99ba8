import type { Connection } from "mysql2/promise";
import { countNames, type Data } from "../data.ts";

const tables = [
  `CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, age INT NOT NULL, city VARCHAR(40) NOT NULL,
    KEY by_city (city))`,
  `CREATE TABLE products (sku VARCHAR(40) PRIMARY KEY, name VARCHAR(40) NOT NULL, category VARCHAR(40) NOT NULL,
    price_cents INT NOT NULL)`,
  // A row a field, because a table of all fields would have as many columns as all kinds of products together.
  `CREATE TABLE product_fields (sku VARCHAR(40), field VARCHAR(40), type VARCHAR(10) NOT NULL, value VARCHAR(40) NOT NULL,
    PRIMARY KEY (sku, field), KEY by_value (field, value))`,
  "CREATE TABLE product_documents (sku VARCHAR(40) PRIMARY KEY, document JSON NOT NULL)",
  "CREATE TABLE orders (id INT PRIMARY KEY, person_id INT NOT NULL, KEY by_person (person_id))",
  `CREATE TABLE order_lines (order_id INT, line INT, sku VARCHAR(40) NOT NULL, quantity INT NOT NULL, cents INT NOT NULL,
    PRIMARY KEY (order_id, line), KEY by_sku (sku))`,
  "CREATE TABLE friends (person_id INT, friend_id INT, PRIMARY KEY (person_id, friend_id))",
  `CREATE TABLE counts (person_id INT PRIMARY KEY, ${countNames.map((name) => `${name} INT NULL`).join(", ")},
    KEY by_likes (posts_likes))`,
];

/** Makes the database `demo` anew, and goes into it. */
export async function loadMysql(connection: Connection, data: Data): Promise<void> {
  await connection.query("CREATE DATABASE demo CHARACTER SET utf8mb4");
  await connection.query("USE demo");
  for (const table of tables) {
    await connection.query(table);
  }
  const insert = (table: string, rows: unknown[][]) =>
    connection.query(`INSERT INTO ${table} VALUES ?`, [rows]);
  await insert(
    "people",
    data.people.map(({ id, name, age, city }) => [id, name, age, city]),
  );
  await insert(
    "products",
    data.products.map(({ sku, name, category, priceCents }) => [sku, name, category, priceCents]),
  );
  await insert(
    "product_fields",
    data.products.flatMap(({ sku, fields }) =>
      Object.entries(fields).map(([field, value]) => [sku, field, typeof value, String(value)]),
    ),
  );
  await insert(
    "product_documents",
    data.products.map(({ fields, ...product }) => [product.sku, JSON.stringify({ ...product, ...fields })]),
  );
  await insert(
    "orders",
    data.orders.map(({ id, person }) => [id, person]),
  );
  await insert(
    "order_lines",
    data.orders.flatMap(({ id, lines }) =>
      lines.map(({ sku, quantity, cents }, index) => [id, index + 1, sku, quantity, cents]),
    ),
  );
  await insert("friends", data.friendships);
  await insert(
    "counts",
    data.counts.map(({ person, values }) => [person, ...countNames.map((name) => values[name] ?? null)]),
  );
  // Without it the server guesses what the indexes hold until it gets round to counting.
  await connection.query(
    "ANALYZE TABLE people, products, product_fields, product_documents, orders, order_lines, friends, counts",
  );
}

export async function removeFromMysql(connection: Connection): Promise<void> {
  await connection.query("DROP DATABASE IF EXISTS demo");
}
