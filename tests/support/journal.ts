import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { NatsServer } from "../servers/nats.ts";
import { freeze } from "./freeze.ts";

/** What an event consumer has noted. */
export interface Note {
  what: "begin" | "done" | "fail" | "killed";
  key: string;
  orderId: string;
  pid: number;
  atMs: number;
}

/** An instance of `tests/servers/event-consumer.ts`. */
export interface EventConsumer {
  pid: number;
  /** SIGKILL, noted in the journal. */
  kill(): Promise<void>;
  /** SIGSTOP: it lives, and does nothing until `thaw`. */
  freeze(): Promise<void>;
  thaw(): void;
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
}

/** What consumers of one server have noted, in the order of time, and the consumers. */
export interface Journal {
  notes(): Note[];
  startConsumer(options: { handleMs: number; ackWaitMs: number }): EventConsumer;
  /** Kills the consumers that are left. */
  stop(): Promise<void>;
}

const program = resolve(import.meta.dirname, "..", "servers", "event-consumer.ts");

/** A journal in the folder of the server. */
export function openJournal(nats: NatsServer): Journal {
  const file = join(nats.folder, "journal");
  appendFileSync(file, "");
  const consumers = new Set<EventConsumer>();
  return {
    notes: () =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Note),
    startConsumer({ handleMs, ackWaitMs }) {
      const child = spawn(process.execPath, [program], {
        env: {
          PATH: process.env.PATH,
          ...nats.environmentOf("operator"),
          JOURNAL: file,
          HANDLE_MS: String(handleMs),
          ACK_WAIT_MS: String(ackWaitMs),
        },
        stdio: ["ignore", "ignore", "inherit"],
      });
      const consumer = consumerOf(child, (note) => appendFileSync(file, `${JSON.stringify(note)}\n`));
      consumers.add(consumer);
      return consumer;
    },
    async stop() {
      await Promise.all([...consumers].map((consumer) => consumer.kill()));
    },
  };
}

function consumerOf(child: ChildProcess, write: (note: Note) => void): EventConsumer {
  const pid = child.pid as number;
  const exited = once(child, "exit");
  return {
    pid,
    async kill() {
      if (child.kill("SIGKILL")) {
        await exited;
        write({ what: "killed", key: "", orderId: "", pid, atMs: Date.now() });
      }
    },
    freeze: () => freeze(pid),
    thaw: () => void child.kill("SIGCONT"),
    async stop() {
      child.kill("SIGTERM");
      await exited;
      return child.exitCode;
    },
  };
}
