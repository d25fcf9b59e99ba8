import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, createServer, get, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json, text } from "node:stream/consumers";
import { afterAll, expect, test } from "vitest";

const servers: Server[] = [];
let gateway: ChildProcess | undefined;

afterAll(() => {
  gateway?.kill("SIGKILL");
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

/** A Consul that knows one instance of each service, and in which nothing ever changes. */
function consulWith(port: number): RequestListener {
  return (request, response) => {
    if (request.url?.includes("index=0")) {
      response.setHeader("x-consul-index", "1");
      response.end(
        JSON.stringify([{ Node: { Address: "127.0.0.1" }, Service: { ID: "one", Address: "", Port: port } }]),
      );
    }
  };
}

async function portOf(child: ChildProcess): Promise<number> {
  let said = "";
  for await (const piece of child.stdout?.iterator({ destroyOnReturn: false }) ?? []) {
    said += piece;
    const port = said.match(/"port":(\d+),"msg":"listening"/)?.[1];
    if (port && said.match(/"instances changed"/g)?.length === 2) {
      return Number(port);
    }
  }
  throw new Error(`The gateway does not listen: ${said}`);
}

test("answers come through whole, on a connection that is kept", async () => {
  const upstream = await listen((_request, response) => response.end('{"name":"Riya"}'));
  const consul = await listen(consulWith(upstream));
  gateway = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "main.ts")],
    {
      env: {
        PATH: process.env.PATH,
        SERVICE_NAME: "gateway",
        ENVIRONMENT: "test",
        PORT: "0",
        CONSUL_URL: `http://127.0.0.1:${consul}`,
        ROUTES: JSON.stringify([
          { prefix: "/api/users", service: "user" },
          { prefix: "/api/cart", service: "cart" },
        ]),
      },
    },
  );
  const port = await portOf(gateway);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const reused: boolean[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const request = get({ host: "127.0.0.1", port, path: "/api/users/1", agent });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect(await json(response)).toEqual({ name: "Riya" });
    reused.push(request.reusedSocket);
  }
  expect(reused).toEqual([false, true, true]);
  agent.destroy();
  gateway.kill("SIGTERM");
  expect(await text(gateway.stderr as NonNullable<ChildProcess["stderr"]>)).toBe("");
});
