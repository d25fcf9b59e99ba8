/** Where a proxy listens, and the ports of the instances behind it, all on this machine. */
export interface PlainProxy {
  port: number;
  upstreamPorts: readonly number[];
}

/** nginx that hands everything on over kept connections, with one worker; `nginx -p <folder> -c <file>`. */
export function nginxConfiguration({ port, upstreamPorts }: PlainProxy): string {
  return `daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 1000000000;
  upstream instances {
${upstreamPorts.map((upstream) => `    server 127.0.0.1:${upstream};`).join("\n")}
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / {
      proxy_pass http://instances;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }
  }
}
`;
}
