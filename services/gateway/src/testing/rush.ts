import { get } from "node:http";
import { parentPort, workerData } from "node:worker_threads";

/** Once the parent says so, so many ask at once; the parent can see how many connections the kernel has made while it does nothing else. */
const { port, callers, shared } = workerData as { port: number; callers: number; shared: Int32Array };
const [begin, connected] = [0, 1];

Atomics.wait(shared, begin, 0);
const outcomes = await Promise.allSettled(
  Array.from({ length: callers }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    get({ host: "127.0.0.1", port, agent: false }, (response) => response.resume().once("end", resolve))
      .once("socket", (socket) =>
        socket.once("connect", () => {
          Atomics.add(shared, connected, 1);
          Atomics.notify(shared, connected);
        }),
      )
      .once("error", reject);
    return promise;
  }),
);
parentPort?.postMessage(outcomes.filter(({ status }) => status === "fulfilled").length);
