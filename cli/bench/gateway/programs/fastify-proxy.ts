import proxy from "@fastify/http-proxy";
import { fastify } from "fastify";

/** What people write who need a proxy in a hurry: Fastify with its plug-in, to each instance in turn. */
const origins: string[] = JSON.parse(process.env.UPSTREAMS as string);
let turn = 0;

const app = fastify();
await app.register(proxy, {
  upstream: "",
  undici: { connections: 64, pipelining: 1 },
  replyOptions: { getUpstream: () => origins[turn++ % origins.length] as string },
});
await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
