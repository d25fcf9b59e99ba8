import { erasedUsersMigration, inboxMigration, type Migration, outboxMigration } from "@lab/mysql";

/** Steps of the schema, each run once, in this order. A step that was released is never changed: add one after it. */
export const migrations: readonly Migration[] = [
  outboxMigration,
  inboxMigration,
  {
    name: "payments",
    statements: [
      // Without a user once that has been erased: what was paid has to stay in the books, who paid it has not.
      `CREATE TABLE IF NOT EXISTS payments (
        order_id VARCHAR(64) CHARACTER SET ascii NOT NULL PRIMARY KEY,
        user_id INT UNSIGNED NULL,
        chain ENUM('async', 'sync') NOT NULL,
        amount_cents BIGINT UNSIGNED NOT NULL,
        state ENUM('charging', 'unknown', 'captured', 'declined', 'voided', 'refunding', 'refunded') NOT NULL,
        charge_id VARCHAR(100) NULL,
        refund_id VARCHAR(100) NULL,
        decline_reason VARCHAR(500) NULL,
        cancel_reason VARCHAR(500) NULL,
        is_confirmed BOOLEAN NOT NULL DEFAULT FALSE,
        created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
        changed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
        KEY payments_by_state (state, changed_at),
        KEY payments_by_user (user_id)
      )`,
    ],
  },
  {
    name: "unconfirmed payments",
    statements: [
      "CREATE INDEX IF NOT EXISTS payments_unconfirmed ON payments (chain, is_confirmed, state, changed_at)",
    ],
  },
  erasedUsersMigration,
];
