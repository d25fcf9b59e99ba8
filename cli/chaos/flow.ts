import type { Gate } from "./gate.ts";

/** Opens a gate at a steady pace, up to a limit that moves. */
export class Flow {
  readonly #gate: Gate;
  readonly #total: number;
  readonly #timer: NodeJS.Timeout;
  #opened = 0;
  #limit = 0;

  constructor(gate: Gate, total: number, intervalMs: number) {
    this.#gate = gate;
    this.#total = total;
    this.#timer = setInterval(() => this.#open(1), intervalMs);
  }

  /** Lets up to that many orders through in all. */
  allow(limit: number): void {
    this.#limit = Math.min(Math.max(this.#limit, limit), this.#total);
  }

  /** Lets some orders through at once, as far as the limit allows: the rest is for later kills. */
  hurry(count: number): void {
    this.#open(count);
  }

  /** Lets nothing more through. */
  end(): void {
    clearInterval(this.#timer);
    this.#gate.close();
  }

  #open(count: number): void {
    const allowed = Math.max(0, Math.min(count, this.#limit - this.#opened));
    this.#opened += allowed;
    this.#gate.open(allowed);
    if (this.#opened === this.#total) {
      this.end();
    }
  }
}
