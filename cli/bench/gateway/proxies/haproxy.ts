import type { PlainProxy } from "./nginx.ts";

/** HAProxy that hands everything on over kept connections, with one thread; `haproxy -f <file>`. */
export function haproxyConfiguration({ port, upstreamPorts }: PlainProxy): string {
  return `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend entry
  bind 127.0.0.1:${port} backlog 1024
  default_backend instances
backend instances
  balance roundrobin
${upstreamPorts.map((upstream, index) => `  server i${index} 127.0.0.1:${upstream} pool-max-conn 64`).join("\n")}
`;
}
