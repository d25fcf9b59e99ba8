/** A live instance of a service. */
export interface Endpoint {
  /** The registry's id of the instance. */
  id: string;
  /** `http://host:port` */
  origin: string;
  /** How much it takes beside the others where a policy asks for that; a whole number from 1 on. */
  weight: number;
  /** What else the registry says of it. */
  meta: Readonly<Record<string, string>>;
}

/** Above it one instance of many would take whole seconds of traffic in a row. */
const maxWeight = 100;

/** The weight that a registry's text gives; 1 for one that is missing or no number. */
export function weightOf(text: string | number | undefined): number {
  const weight = Math.round(Number(text));
  return weight >= 1 ? Math.min(weight, maxWeight) : 1;
}

/** The origin of a host, which may be an IPv6 address, and a port. */
export function originOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
