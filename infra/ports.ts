/** How many ports a stack may use, counted from its `lab:portBase`; bases at least this far apart never meet. */
export const portSpan = 400;

const offsets = {
  consulHttp: 0,
  consulServer: 1,
  consulSerfLan: 2,
  consulSerfWan: 3,
  consulDns: 5,
  nomadHttp: 10,
  nomadRpc: 11,
  nomadSerf: 12,
  nats: 20,
  natsMonitor: 21,
  mysql: 30,
  mongodb: 31,
  redis: 32,
  cassandra: 33,
  cassandraStorage: 34,
  cassandraSslStorage: 35,
  neo4jBolt: 36,
  neo4jHttp: 37,
  artifacts: 40,
  gateway: 50,
  paymentProvider: 51,
  mail: 52,
  mailSmtp: 53,
  /** The first port that Nomad hands out to tasks that ask for any. */
  dynamicMin: 100,
  /** The last one. */
  dynamicMax: portSpan - 1,
} as const;

export type PortName = keyof typeof offsets;

/** Every port of a stack by its name. */
export type Ports = Record<PortName, number>;

export const portNames = Object.keys(offsets) as PortName[];

/**
 * The ports of a stack.
 *
 * @param base the stack's `lab:portBase`
 * @param overrides ports that `lab:ports` sets apart from the base
 */
export function portsOf(base: number, overrides: Partial<Ports> = {}): Ports {
  const derived = Object.fromEntries(portNames.map((name) => [name, base + offsets[name]])) as Ports;
  return { ...derived, ...overrides };
}

/** The ports that servers listen on: all but the two ends of Nomad's dynamic range. */
export function listeningPorts(ports: Ports): Array<[PortName, number]> {
  return portNames
    .filter((name) => name !== "dynamicMin" && name !== "dynamicMax")
    .map((name) => [name, ports[name]]);
}
