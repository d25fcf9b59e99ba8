import { join } from "node:path";
import { MongoClient } from "mongodb";
import { freePorts } from "../../providers/host/src/ports.ts";
import { locateTools } from "../../toolchain/tools.ts";
import { createServerProcess, type ServerProcess } from "./server-process.ts";

/** A server of documents: FerretDB, or the `mongod` that this machine has in its place. */
export interface DocumentServer extends ServerProcess {
  /** Such as `mongodb://127.0.0.1:21000`. */
  url: string;
}

/** Starts the server that speaks MongoDB's protocol on a free port, in a temporary folder. */
export async function startFerretdb(): Promise<DocumentServer> {
  const { mongodb } = await locateTools();
  const port = await freePorts(1);
  const url = `mongodb://127.0.0.1:${port}`;
  const server = await createServerProcess(
    "ferretdb",
    (folder) => ({
      executable: mongodb.binary,
      args:
        mongodb.kind === "ferretdb"
          ? ["-listen-addr", `127.0.0.1:${port}`, "-state-dir", join(folder, "data")]
          : ["--bind_ip", "127.0.0.1", "--port", String(port), "--dbpath", folder],
    }),
    async () => {
      const client = new MongoClient(url, { directConnection: true, serverSelectionTimeoutMS: 1000 });
      try {
        return (await client.db("test").command({ ping: 1 })).ok === 1;
      } finally {
        await client.close();
      }
    },
  );
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...server, url };
}
