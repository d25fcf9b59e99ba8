import { inboxMigration, type Migration, outboxMigration } from "@lab/mysql";

/** Steps of the schema, each run once, in this order. A step that was released is never changed: add one after it. */
export const migrations: readonly Migration[] = [
  outboxMigration,
  inboxMigration,
  {
    name: "recipients, orders and mails",
    statements: [
      // Without name and email once the user has been erased, so that a late event brings no mail back.
      `CREATE TABLE IF NOT EXISTS recipients (
        user_id INT UNSIGNED NOT NULL PRIMARY KEY,
        name VARCHAR(200) NULL,
        email VARCHAR(254) NULL
      )`,
      `CREATE TABLE IF NOT EXISTS orders (
        order_id VARCHAR(64) CHARACTER SET ascii NOT NULL PRIMARY KEY,
        user_id INT UNSIGNED NOT NULL,
        total_cents BIGINT UNSIGNED NOT NULL,
        \`lines\` MEDIUMTEXT NOT NULL,
        is_cancelled BOOLEAN NOT NULL DEFAULT FALSE,
        KEY orders_by_user (user_id)
      )`,
      `CREATE TABLE IF NOT EXISTS mails (
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        message_id VARCHAR(100) CHARACTER SET ascii NOT NULL,
        user_id INT UNSIGNED NOT NULL,
        order_id VARCHAR(64) CHARACTER SET ascii NOT NULL,
        kind ENUM('paid', 'declined', 'refunded', 'cancelled') NOT NULL,
        amount_cents BIGINT UNSIGNED NULL,
        reason VARCHAR(500) NULL,
        state ENUM('due', 'sent', 'refused') NOT NULL DEFAULT 'due',
        created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
        sent_at TIMESTAMP(3) NULL,
        UNIQUE KEY mails_by_message (message_id),
        KEY mails_by_user (user_id, id)
      )`,
    ],
  },
  {
    name: "age of recipients",
    statements: ["ALTER TABLE recipients ADD COLUMN IF NOT EXISTS told_at DATETIME(3) NULL"],
  },
  {
    name: "mails by order, and postponed ones",
    statements: [
      "CREATE INDEX IF NOT EXISTS mails_by_order ON mails (order_id)",
      "ALTER TABLE mails ADD COLUMN IF NOT EXISTS tried_at TIMESTAMP(3) NULL",
      "CREATE INDEX IF NOT EXISTS mails_postponed ON mails (state, tried_at)",
    ],
  },
];
