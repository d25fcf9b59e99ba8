/** Steps of the schema, each run once, in this order. A step that was released is never changed: add one after it. */
export const migrations: ReadonlyArray<{ name: string; statements: string[] }> = [
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
];
