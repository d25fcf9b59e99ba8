import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIP } from "node:net";

/** Networks such as `10.0.0.0/8` or single addresses. */
export class Networks {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /** @param networks checked before, see `network` in policies.ts */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) {
      const [address = "", bits] = network.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (bits === undefined) {
        this.#list.addAddress(address, family);
      } else {
        this.#list.addSubnet(address, Number(bits), family);
      }
    }
  }

  has(address: string): boolean {
    const family = this.#isEmpty ? 0 : isIP(address);
    return family !== 0 && this.#list.check(address, family === 6 ? "ipv6" : "ipv4");
  }
}

/** An address as one text: IPv4 that comes through an IPv6 socket is IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}

/**
 * Whose request it is. What the headers say counts only as far as trusted proxies have said it: from the last one on, the first
 * address that is not a trusted proxy's is the client's (RFC 7239 §8.1).
 */
export function clientAddress(peer: string, headers: IncomingHttpHeaders, trusted: Networks): string {
  if (!trusted.has(peer)) {
    return peer;
  }
  const client = farthestKnown(peer, forwardedFor(headers), trusted);
  const { forwarded, "x-forwarded-for": other } = headers;
  // A proxy writes one of the two, and hands the other on as it came: where they disagree, one is the client's own invention.
  const isContested =
    forwarded !== undefined && other !== undefined && client !== farthestKnown(peer, inList(other), trusted);
  return isContested ? peer : client;
}

/** The addresses that `Forwarded`, or else `X-Forwarded-For`, names, nearest last. */
export function forwardedFor({ forwarded, "x-forwarded-for": other }: IncomingHttpHeaders): string[] {
  if (forwarded !== undefined) {
    return forwarded.split(",").map((element) => {
      const [, quoted, plain] = /(?:^|;)\s*for=(?:"([^"]*)"|([^;\s]*))/i.exec(element) ?? [];
      return withoutPort(quoted ?? plain ?? "");
    });
  }
  return other === undefined ? [] : inList(other);
}

function inList(xForwardedFor: string | string[]): string[] {
  return String(xForwardedFor)
    .split(",")
    .map((address) => withoutPort(address.trim()));
}

function farthestKnown(peer: string, addresses: readonly string[], trusted: Networks): string {
  let client = peer;
  for (const address of addresses.toReversed()) {
    if (isIP(address) === 0) {
      // "unknown" or a made-up name: nobody knows further.
      return client;
    }
    client = address;
    if (!trusted.has(address)) {
      return client;
    }
  }
  return client;
}

function withoutPort(node: string): string {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(node) ?? [];
  return plainAddress(bracketed ?? (/^[\d.]+:\d+$/.test(node) ? node.slice(0, node.indexOf(":")) : node));
}
