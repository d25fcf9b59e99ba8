import { get } from "node:http";
import { parentPort, workerData } from "node:worker_threads";

/** As many as there are callers ask at a time, each over a connection of its own, until the parent says that it is enough. */
const { port, callers } = workerData as { port: number; callers: number };
const counts = { answered: 0, lost: 0 };
let isOver = false;
parentPort?.once("message", () => {
  isOver = true;
});

await Promise.all(
  Array.from({ length: callers }, async () => {
    while (!isOver) {
      await answered().then(
        () => {
          counts.answered += 1;
        },
        () => {
          counts.lost += 1;
        },
      );
      if (counts.answered === 500) {
        parentPort?.postMessage("under way");
      }
    }
  }),
);
parentPort?.postMessage(counts);

function answered(): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, agent: false }, (response) =>
      response.resume().once("end", resolve).once("error", reject),
    ).once("error", reject);
  });
}
