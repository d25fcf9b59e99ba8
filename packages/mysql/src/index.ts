export { type MysqlEnvironment, mysqlEnvironment } from "./environment.ts";
export { isDuplicate, isMysqlAway } from "./errors.ts";
export { handleOnce, inboxMigration } from "./inbox.ts";
export { type Migration, migrateMysql } from "./migrate.ts";
export { addToOutbox, outboxMigration } from "./outbox.ts";
export { connectMysql } from "./pool.ts";
export { OutboxRelay, type RelayOptions } from "./relay.ts";
export { Rounds, type RoundsOptions } from "./rounds.ts";
export { transaction } from "./transaction.ts";
