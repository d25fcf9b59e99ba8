import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePorts } from "../../providers/host/src/ports.ts";
import { locateTools } from "../../toolchain/tools.ts";
import { createServerProcess, type ServerProcess } from "./server-process.ts";

/** A MariaDB server in MySQL's place, which flushes each commit to disk. */
export interface MysqlServer extends ServerProcess {
  host: string;
  port: number;
  /** The environment of a service with a database of this name, which is there. */
  environmentOf(database: string): MysqlEnvironment;
}

export interface MysqlEnvironment {
  MYSQL_HOST: string;
  MYSQL_PORT: number;
  MYSQL_DATABASE: string;
  MYSQL_USER: string;
  MYSQL_PASSWORD: string;
  MYSQL_CONNECTIONS: number;
}

/**
 * Starts a MariaDB server on a free port, in a temporary folder.
 *
 * @param databases each with a user of the same name, who may touch only that one
 */
export async function startMysql(...databases: string[]): Promise<MysqlServer> {
  const { server: executable, home, libraryPath } = (await locateTools()).mysql;
  const port = await freePorts(1);
  const password = randomUUID();
  const environment: Record<string, string> = libraryPath === "" ? {} : { LD_LIBRARY_PATH: libraryPath };
  const server = await createServerProcess(
    "mysql",
    (folder) => {
      const share = join(home, "usr/share/mysql");
      const data = join(folder, "db");
      const common = [
        "--no-defaults",
        `--basedir=${join(home, "usr")}`,
        `--lc-messages-dir=${share}`,
        `--plugin-dir=${join(home, "usr/lib/mysql/plugin")}`,
        `--tmpdir=${folder}`,
        `--datadir=${data}`,
        "--innodb-buffer-pool-size=32M",
        "--innodb-log-file-size=16M",
        // MariaDB refuses to run as root unless told to; others may not be told.
        ...(process.getuid?.() === 0 ? ["--user=root"] : []),
      ];
      mkdirSync(data);
      execFileSync(
        executable,
        [
          ...common,
          "--bootstrap",
          "--log-warnings=0",
          "--enforce-storage-engine=",
          "--max-allowed-packet=8M",
          "--net-buffer-length=16K",
        ],
        {
          input: systemTables(share),
          env: { ...process.env, ...environment },
          stdio: ["pipe", "ignore", "pipe"],
        },
      );
      const accounts = join(folder, "accounts.sql");
      writeFileSync(accounts, databases.map((name) => account(name, password)).join(""), { mode: 0o600 });
      return {
        executable,
        args: [
          ...common,
          // Relative to the data folder, because a socket's path may not exceed 107 bytes.
          "--socket=mysql.sock",
          "--pid-file=mysql.pid",
          `--port=${port}`,
          "--bind-address=127.0.0.1",
          "--skip-name-resolve",
          "--max-connect-errors=4294967295",
          `--init-file=${accounts}`,
          "--log-warnings=1",
          "--performance-schema=OFF",
          "--innodb-flush-log-at-trx-commit=1",
          "--key-buffer-size=1M",
          "--aria-pagecache-buffer-size=1M",
          "--character-set-server=utf8mb4",
        ],
        environment,
      };
    },
    () => greets(port),
  );
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    ...server,
    host: "127.0.0.1",
    port,
    environmentOf: (database) => ({
      MYSQL_HOST: "127.0.0.1",
      MYSQL_PORT: port,
      MYSQL_DATABASE: database,
      MYSQL_USER: database,
      MYSQL_PASSWORD: password,
      MYSQL_CONNECTIONS: 10,
    }),
  };
}

/** What mariadb-install-db does, as jobs/mysql.nomad.hcl does it. */
function systemTables(share: string): string {
  const files = [
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "fill_help_tables.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
  ];
  const start = ["CREATE DATABASE IF NOT EXISTS mysql;", "USE mysql;", "SET @auth_root_socket = NULL;", ""];
  return start.join("\n") + files.map((file) => readFileSync(join(share, file), "utf8")).join("");
}

function account(name: string, password: string): string {
  return [
    `CREATE DATABASE IF NOT EXISTS \`${name}\`;`,
    `CREATE USER IF NOT EXISTS '${name}'@'127.0.0.1' IDENTIFIED BY '${password}';`,
    `GRANT ALL PRIVILEGES ON \`${name}\`.* TO '${name}'@'127.0.0.1';`,
    "",
  ].join("\n");
}

/** Whether the server sends its first packet, which it does once its accounts are made. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("data", () => {
      resolve(true);
      socket.destroy();
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
