import { type Connection, createConnection, type FieldPacket, type RowDataPacket } from "mysql2/promise";
import type { Credentials } from "../outputs.ts";
import { connectWithinMs, type Session } from "./session.ts";

/** SQL, as the administrator, in the user service's database. */
export async function mysql(credentials: Credentials): Promise<Session> {
  const connection = await connectMysql(credentials);
  return {
    async run(statement) {
      const [result, fields] = (await connection.query(statement)) as [
        RowDataPacket[],
        FieldPacket[] | undefined,
      ];
      if (!Array.isArray(result)) {
        const { affectedRows, insertId } = result as { affectedRows: number; insertId: number };
        return { value: { affectedRows, ...(insertId ? { insertId } : {}) } };
      }
      return { columns: (fields ?? []).map(({ name }) => name), rows: result };
    },
    close: () => connection.end(),
  };
}

/** A connection whose dates are texts. */
export function connectMysql({ host, port, user, password, database }: Credentials): Promise<Connection> {
  return createConnection({
    host,
    port,
    user,
    password,
    database,
    connectTimeout: connectWithinMs,
    dateStrings: true,
    supportBigNumbers: true,
  });
}
