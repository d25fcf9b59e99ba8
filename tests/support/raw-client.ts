import { once } from "node:events";
import { connect } from "node:net";
import { type RawMessage, takeMessage } from "./raw-http.ts";

/** What came back for bytes that were sent. */
export interface RawExchange {
  /** Interim ones, such as 100, among them. */
  answers: RawMessage[];
  /** The statuses of the answers. */
  statuses: number[];
  /** Whether the other side closed before all was there that was waited for. */
  isClosed: boolean;
}

export interface RawRequest {
  /** What is sent, as latin1; each part after the first goes once one more answer is there, such as 100. */
  parts: string[];
  /** When the second part goes instead. */
  after?: Promise<void>;
  /** Each part goes by itself as soon as the one before has left. */
  isSlow?: boolean;
  /** How many final answers are waited for. */
  answers: number;
  /** How long they are waited for. */
  withinMs?: number;
  /** The answers are to HEAD. */
  isHead?: boolean;
}

/** Sends bytes over a connection of its own, and waits for the answers, or until the other side has closed. */
export async function exchange(
  port: number,
  { parts, after, isSlow = false, answers: wanted, withinMs = 2000, isHead = false }: RawRequest,
): Promise<RawExchange> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  // A side that has refused what it read of a request may reset the connection while the rest is sent.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const answers: RawMessage[] = [];
  const finals = () => answers.filter((answer) => statusOf(answer) >= 200).length;
  const unsent = [...parts];
  let waiting = "";
  let isClosed = false;
  const sendNext = () => socket.write(unsent.shift() ?? "", "latin1", isSlow ? sendRest : undefined);
  const sendRest = () => unsent.length > 0 && setImmediate(sendNext);
  sendNext();
  void after?.then(sendNext);
  await new Promise<void>((done) => {
    const giveUp = setTimeout(done, withinMs);
    socket.on("data", (piece) => {
      waiting += piece.toString("latin1");
      for (let taken = takeMessage(waiting, !isHead); taken; taken = takeMessage(waiting, !isHead)) {
        waiting = taken.rest;
        answers.push(taken.message);
        if (unsent.length > 0) {
          sendNext();
        }
      }
      if (finals() >= wanted) {
        clearTimeout(giveUp);
        done();
      }
    });
    socket.once("close", () => {
      isClosed = true;
      clearTimeout(giveUp);
      done();
    });
  });
  socket.destroy();
  return { answers, statuses: answers.map(statusOf), isClosed };
}

function statusOf({ startLine }: RawMessage): number {
  return Number(startLine.split(" ")[1]);
}
