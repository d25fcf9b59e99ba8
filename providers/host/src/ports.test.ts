import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { describeHolder, holdersOf, remotePortsOf } from "./ports.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
  }
});

async function listen(host: string): Promise<number> {
  const server = createServer();
  servers.push(server);
  await once(server.listen(0, host), "listening");
  return (server.address() as AddressInfo).port;
}

test("a taken port is named with the process that holds it", async () => {
  const port = await listen("127.0.0.1");
  const [holder, ...others] = holdersOf([port, port + 1]);
  expect(others).toEqual([]);
  expect(holder).toMatchObject({ port, pid: process.pid });
  expect(describeHolder(holder as never)).toMatch(
    new RegExp(`^port ${port} is taken by process ${process.pid} \\(.*node.*\\)$`),
  );
});

test("a port whose holder has children is held by the holder, not by one of them", async () => {
  const program = `$^F = 99; socket(my $s, 2, 1, 0); bind($s, pack("SnCCCCx8", 2, 0, 127, 0, 0, 1)); listen($s, 1);
    $| = 1; print((unpack("Sn", getsockname($s)))[1], "\\n"); fork() or exec("sleep", "60"); wait()`;
  const parent = spawn("perl", ["-e", program], { detached: true });
  try {
    const [line] = await once(parent.stdout, "data");
    const port = Number(line);
    expect(holdersOf([port])).toMatchObject([{ port, pid: parent.pid }]);
  } finally {
    process.kill(-(parent.pid as number), "SIGKILL");
  }
});

test("of a port that is shared each process is named", async () => {
  const shared = { host: "127.0.0.1", reusePort: true };
  const server = createServer();
  servers.push(server);
  await once(server.listen({ ...shared, port: 0 }), "listening");
  const { port } = server.address() as AddressInfo;
  const options = JSON.stringify({ ...shared, port });
  const program = `require("node:net").createServer().listen(${options}, () => console.log("listening"))`;
  const other = spawn(process.execPath, ["-e", program]);
  try {
    await once(other.stdout, "data");
    const pids = holdersOf([port]).map(({ pid }) => pid);
    expect(pids.toSorted()).toEqual([process.pid, other.pid].toSorted());
  } finally {
    other.kill("SIGKILL");
  }
});

test("a port that is taken on every interface, or by IPv6 only, counts", async () => {
  const ports = [await listen("0.0.0.0"), await listen("::1")].sort((one, other) => one - other);
  expect(holdersOf(ports).map(({ port, pid }) => [port, pid])).toEqual(
    ports.map((port) => [port, process.pid]),
  );
});

test("a port that only talks to another is free", async () => {
  const port = await listen("127.0.0.1");
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const local = socket.localPort as number;
  expect(holdersOf([local])).toEqual([]);
  expect(remotePortsOf(process.pid)).toContain(port);
  socket.destroy();
});

test("another user's process is told as such, and a long command is cut", () => {
  expect(describeHolder({ port: 18000 })).toBe("port 18000 is taken by a process of another user");
  const words = describeHolder({ port: 18000, pid: 7, command: "x".repeat(200) });
  expect(words).toBe(`port 18000 is taken by process 7 (${"x".repeat(79)}…)`);
});
