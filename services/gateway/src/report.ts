import type { UpstreamSnapshot } from "@lab/discovery";
import type { PoliciesReport } from "./policies/current-policies.ts";
import type { Policies } from "./policies/policies.ts";

/** What a gateway knows, for people: `GET /_gateway/endpoints`, `lab gateway`. */
export interface GatewayReport {
  /** The instance that says so. */
  instance: string;
  startedAt: string;
  policies: PoliciesReport &
    Pick<Policies, "rateLimit" | "cache" | "trustedProxies" | "maxBodyBytes" | "revocation">;
  /** `away`: what passes then is the policies' affair. */
  redis: "connected" | "away";
  revocations: { count: number; isCurrent: boolean };
  cacheBytes: number;
  upstreams: UpstreamSnapshot[];
}
