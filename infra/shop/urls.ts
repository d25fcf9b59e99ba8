import type { Ports } from "../ports.ts";

/** Where the services with ports of their own are. */
export type ShopUrls = Record<"gateway" | "paymentProvider" | "mail", string>;

export function shopUrls(ports: Ports): ShopUrls {
  const at = (port: number) => `http://127.0.0.1:${port}`;
  return { gateway: at(ports.gateway), paymentProvider: at(ports.paymentProvider), mail: at(ports.mail) };
}
