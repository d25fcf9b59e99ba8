import { inboxMigration, type Migration, outboxMigration } from "@lab/mysql";

/**
 * The schema, in steps. The service goes on while they run: a column that is added to a large table is added at once
 * (`ALGORITHM=INSTANT`, or the server refuses), and may be NULL or has a default, so that instances that don't know it yet can
 * write rows.
 */
export const migrations: readonly Migration[] = [
  {
    name: "users and addresses",
    statements: [
      `CREATE TABLE IF NOT EXISTS users (
        id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        name VARCHAR(100) NOT NULL,
        email VARCHAR(254) NOT NULL,
        created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
        UNIQUE KEY users_email (email)
      )`,
      `CREATE TABLE IF NOT EXISTS addresses (
        user_id INT UNSIGNED NOT NULL,
        label VARCHAR(30) NOT NULL,
        street VARCHAR(200) NOT NULL,
        city VARCHAR(100) NOT NULL,
        PRIMARY KEY (user_id, label),
        KEY addresses_city (city),
        CONSTRAINT addresses_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
      )`,
    ],
  },
  {
    name: "students",
    statements: [
      `CREATE TABLE IF NOT EXISTS Students (
        id INT UNSIGNED NOT NULL PRIMARY KEY,
        name VARCHAR(100) NOT NULL,
        class INT NOT NULL,
        marks INT NOT NULL
      )`,
    ],
  },
  {
    // Every user gets the column, with NULL in the rows that were there before.
    name: "age of users",
    statements: ["ALTER TABLE users ADD COLUMN IF NOT EXISTS age TINYINT UNSIGNED NULL AFTER email"],
  },
  outboxMigration,
  inboxMigration,
  {
    // Without a password nobody can log in; people who were there before have none.
    name: "passwords and roles",
    statements: [
      `ALTER TABLE users
        ADD COLUMN IF NOT EXISTS password_hash VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NULL,
        ADD COLUMN IF NOT EXISTS role ENUM('customer', 'admin') NOT NULL DEFAULT 'customer',
        ALGORITHM=INSTANT`,
    ],
  },
  {
    name: "signing keys",
    statements: [
      `CREATE TABLE IF NOT EXISTS signing_keys (
        kid CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
        signs_from_ms BIGINT UNSIGNED NOT NULL,
        public_key VARCHAR(500) NOT NULL,
        private_key VARBINARY(500) NOT NULL,
        KEY signing_keys_signs_from (signs_from_ms)
      )`,
    ],
  },
  {
    name: "erasures",
    statements: [
      `CREATE TABLE IF NOT EXISTS erasures (
        id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
        user_id INT UNSIGNED NOT NULL,
        requested_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
      )`,
      `CREATE TABLE IF NOT EXISTS erased_data (
        erasure_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        service VARCHAR(40) NOT NULL,
        records INT UNSIGNED NOT NULL,
        erased_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
        PRIMARY KEY (erasure_id, service),
        CONSTRAINT erased_data_erasure FOREIGN KEY (erasure_id) REFERENCES erasures (id)
      )`,
    ],
  },
  {
    // A service that comes later is not waited for: it holds nothing of whom it has never heard of.
    name: "who is asked to erase",
    statements: [
      `ALTER TABLE erasures
        ADD COLUMN IF NOT EXISTS erasers VARCHAR(1000) CHARACTER SET ascii COLLATE ascii_bin NULL,
        ALGORITHM=INSTANT`,
      // An id that was erased is looked for before a user gets it.
      "ALTER TABLE erasures ADD KEY IF NOT EXISTS erasures_user (user_id), ALGORITHM=INPLACE, LOCK=NONE",
    ],
  },
  {
    // An administrator from before this was told of in an event; from now on `administrator.ts` does it.
    name: "telling of the administrator",
    statements: [
      `INSERT INTO outbox (event)
       SELECT JSON_OBJECT(
         'id', UUID(), 'type', 'user.registered.v1', 'source', 'user', 'key', CONCAT(id),
         'time', DATE_FORMAT(UTC_TIMESTAMP(3), '%Y-%m-%dT%TZ'),
         'data', JSON_OBJECT('userId', id, 'name', name, 'email', email)
       )
       FROM users WHERE role = 'admin'`,
    ],
  },
];
