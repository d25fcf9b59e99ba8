import type { Upstream } from "@lab/discovery";
import { keysFrom } from "@lab/service-kit";
import type { JWTVerifyGetKey } from "jose";

/**
 * The public keys that a service publishes (RFC 7517), asked of one of its instances.
 *
 * @param path of the keys
 */
export function keysOfService(service: Upstream, path: string): JWTVerifyGetKey {
  // The host stands for whichever instance is asked.
  return keysFrom(new URL(path, `http://${service.name}`), async (_url, options) => {
    const instance = service.pick();
    if (!instance) {
      throw new Error(`no instance of ${service.name} is healthy`);
    }
    const startedMs = performance.now();
    const release = (outcome: "success" | "failure") =>
      service.release(instance, outcome, performance.now() - startedMs);
    try {
      const answer = await fetch(new URL(path, instance.endpoint.origin), options);
      release(answer.status < 500 ? "success" : "failure");
      return answer;
    } catch (error) {
      release("failure");
      throw error;
    }
  });
}
