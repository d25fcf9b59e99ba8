import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import neo4j, { type Driver } from "neo4j-driver";
import { freePorts } from "../../providers/host/src/ports.ts";
import { createJavaServer } from "./java-server.ts";
import type { ServerProcess } from "./server-process.ts";

/** A Neo4j that lets everybody in. */
export interface Neo4jServer extends ServerProcess {
  /** What a service is told of it. */
  environment: { NEO4J_URL: string; NEO4J_USER: string; NEO4J_PASSWORD: string };
  driver: Driver;
}

/** Starts Neo4j on free ports, in a temporary folder. */
export async function startNeo4j(): Promise<Neo4jServer> {
  const port = await freePorts(3);
  const url = `bolt://127.0.0.1:${port}`;
  const connect = () =>
    neo4j.driver(url, neo4j.auth.basic("neo4j", "any"), {
      telemetryDisabled: true,
      disableLosslessIntegers: true,
    });
  const server = await createJavaServer("neo4j", port, async () => {
    const driver = connect();
    try {
      await driver.executeQuery("RETURN 1");
      return true;
    } finally {
      await driver.close();
    }
  });
  await appendFile(join(server.folder, "neo4j.conf"), "dbms.security.auth_enabled=false\n");
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  const driver = connect();
  return {
    ...server,
    environment: { NEO4J_URL: url, NEO4J_USER: "neo4j", NEO4J_PASSWORD: "any" },
    driver,
    async stop() {
      await driver.close();
      await server.stop();
    },
  };
}
