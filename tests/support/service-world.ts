import { join, resolve } from "node:path";
import { execa } from "execa";
import { type Identities, startIdentities } from "../servers/identities.ts";
import { type NatsServer, startNats } from "../servers/nats.ts";
import { type ServiceProcess, startService } from "../servers/service.ts";
import { EventLog } from "./event-log.ts";
import { type FuzzResult, fuzz } from "./fuzz/check.ts";
import type { ApiDocument } from "./fuzz/operations.ts";

/** Who sends a request: a user's id, the administrator, or nobody. */
export type Who = number | "admin" | "nobody";

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** The administrator's id. */
const adminId = 999_999;

const services = resolve(import.meta.dirname, "..", "..", "services");

/** A service of the shop on a real store and NATS, with people who are signed in and someone who hears all events. */
export class ServiceWorld {
  readonly nats: NatsServer;
  readonly events: EventLog;
  readonly #identities: Identities;
  readonly #name: string;
  readonly #environment: Record<string, string>;
  service: ServiceProcess;

  private constructor(
    name: string,
    environment: Record<string, string>,
    nats: NatsServer,
    identities: Identities,
    service: ServiceProcess,
  ) {
    this.#name = name;
    this.#environment = environment;
    this.#identities = identities;
    this.nats = nats;
    this.service = service;
    this.events = new EventLog(nats);
  }

  /** @param environment what the service is told of its store */
  static async start(name: string, environment: Record<string, string>): Promise<ServiceWorld> {
    const [nats, identities] = await Promise.all([startNats(), startIdentities()]);
    const whole = { ...environment, ...nats.environmentOf("operator"), ...identities.environment };
    await execa(process.execPath, [join(services, name, "src", "main.ts"), "migrate"], {
      env: { SERVICE_NAME: name, ENVIRONMENT: "test", ...whole },
    });
    return new ServiceWorld(name, whole, nats, identities, await startService(name, whole));
  }

  /** Sends a request, with its body as JSON. */
  async ask<T = unknown>(
    who: Who,
    method: string,
    path: string,
    body?: unknown,
    url = this.service.url,
  ): Promise<Answer<T>> {
    const token = this.tokenOf(who);
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === "" ? undefined : JSON.parse(text)) as T,
    };
  }

  /** Empty for nobody. */
  tokenOf(who: Who): string {
    if (who === "nobody") {
      return "";
    }
    return who === "admin" ? this.#identities.tokenOf(adminId, "admin") : this.#identities.tokenOf(who);
  }

  /** One more instance, with other settings. */
  startAnother(settings: Record<string, string> = {}): Promise<ServiceProcess> {
    return startService(this.#name, { ...this.#environment, ...settings });
  }

  /** Whether the service calls itself ready. */
  async isReady(): Promise<boolean> {
    return (await fetch(`${this.service.url}/readyz`)).ok;
  }

  /** Sends generated requests to every operation of the service. */
  async fuzz({ runs, backendUp }: { runs: number; backendUp: boolean }): Promise<FuzzResult> {
    const document = (await (await fetch(`${this.service.url}/openapi.json`)).json()) as ApiDocument;
    return fuzz({
      origin: this.service.url,
      document,
      runs,
      seed: 20_251_028,
      tokens: [this.tokenOf(101), this.tokenOf("admin"), ""],
      backendUp,
    });
  }

  async stop(): Promise<void> {
    await this.service.kill();
    await this.events.close();
    await this.nats.stop();
    this.#identities.stop();
  }
}
