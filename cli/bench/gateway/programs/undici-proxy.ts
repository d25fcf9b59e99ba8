import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { type Dispatcher, Pool } from "undici";

/**
 * The least that a proxy on Node.js does: Node's own server, and `Pool.dispatch`, the quickest way that undici has, to each
 * instance in turn.
 */
const pools = (JSON.parse(process.env.UPSTREAMS as string) as string[]).map(
  (origin) => new Pool(origin, { connections: 64 }),
);
let turn = 0;

createServer((request, response) => {
  const pool = pools[turn++ % pools.length] as Pool;
  const { host, connection, ...headers } = request.headers;
  const body = headers["transfer-encoding"] || headers["content-length"] ? request : null;
  pool.dispatch(
    { path: request.url as string, method: request.method as Dispatcher.HttpMethod, headers, body },
    new Answer(request, response),
  );
}).listen(Number(process.env.PORT), "127.0.0.1");

class Answer implements Dispatcher.DispatchHandler {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#request.once("aborted", () => controller.abort(new Error("The caller has gone.")));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    { connection, "keep-alive": keepAlive, "transfer-encoding": coding, ...headers }: IncomingHttpHeaders,
  ): void {
    this.#response.writeHead(statusCode, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#response.write(chunk)) {
      controller.pause();
      this.#response.once("drain", () => controller.resume());
    }
  }

  onResponseEnd(): void {
    this.#response.end();
  }

  onResponseError(): void {
    this.#response.destroy();
  }
}
