import { erasedUsersMigration, inboxMigration, type Migration, outboxMigration } from "@lab/mysql";

/** Steps of the schema, each run once, in this order. A step that was released is never changed: add one after it. */
export const migrations: readonly Migration[] = [
  {
    name: "orders and their lines",
    statements: [
      // Nobody's order: a person who was erased leaves the books in order, but no longer stands in them.
      `CREATE TABLE IF NOT EXISTS orders (
        id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
        user_id INT UNSIGNED NULL,
        state VARCHAR(10) CHARACTER SET ascii NOT NULL,
        total_cents BIGINT UNSIGNED NOT NULL,
        reason VARCHAR(500) NULL,
        idempotency_key VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL,
        request_hash BINARY(32) NULL,
        placed_at DATETIME(3) NOT NULL,
        KEY orders_user (user_id, id),
        UNIQUE KEY orders_idempotency (user_id, idempotency_key)
      )`,
      `CREATE TABLE IF NOT EXISTS order_lines (
        order_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        line TINYINT UNSIGNED NOT NULL,
        sku VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        name VARCHAR(200) NOT NULL,
        quantity SMALLINT UNSIGNED NOT NULL,
        price_cents BIGINT UNSIGNED NOT NULL,
        PRIMARY KEY (order_id, line),
        CONSTRAINT order_lines_order FOREIGN KEY (order_id) REFERENCES orders (id)
      )`,
    ],
  },
  outboxMigration,
  inboxMigration,
  erasedUsersMigration,
];
