import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { execa } from "execa";
import type { ReleaseBases } from "../../toolchain/tools.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A real HTTP server that holds files as the publishers' servers do, and answers badly where a test wants it. */
export interface Publisher {
  bases: ReleaseBases;
  /** Each request: its path, with the range that it asks for behind it. */
  requests: string[];
  put(path: string, content: Buffer | string): void;
  /** Puts an answer in the file's place. */
  answer(path: string, answer: Answer): void;
  close(): Promise<void>;
}

export async function startPublisher(): Promise<Publisher> {
  const answers = new Map<string, Answer>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push([request.url, request.headers.range].filter(Boolean).join(" "));
    const answer = answers.get(request.url as string) ?? notFound;
    void answer(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    bases: { pulumi: base, hashicorp: base, nats: base, mongodb: base, envoy: base },
    requests,
    put: (path, content) =>
      answers.set(path, (request, response) => send(Buffer.from(content), request, response)),
    answer: (path, answer) => answers.set(path, answer),
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** Answers with the content, or the rest of it that the range asks for. */
export function send(content: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const from = Number(request.headers.range?.match(/^bytes=(\d+)-$/)?.[1] ?? 0);
  if (from >= content.length) {
    response.writeHead(416).end();
    return;
  }
  response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
  response.end(content.subarray(from));
}

function notFound(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404).end("Not Found");
}

export function sha256(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}

/** A tar.gz archive of executables by their path in it. */
export async function tarball(files: Record<string, string>): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "tarball-"));
  try {
    for (const [path, content] of Object.entries(files)) {
      await execa("mkdir", ["-p", join(folder, path, "..")]);
      await writeFile(join(folder, path), content, { mode: 0o755 });
    }
    await execa("tar", ["-czf", "archive.tar.gz", ...Object.keys(files)], { cwd: folder });
    return await readFile(join(folder, "archive.tar.gz"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A zip archive of executables by their path in it, stored as they are (APPNOTE.TXT, 4.3). */
export function zip(files: Record<string, string>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [path, content] of Object.entries(files)) {
    const name = Buffer.from(path);
    const data = Buffer.from(content);
    // Version, flags, method, time, date: the same in both headers.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(33, 8);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    local.push(Buffer.from("PK\x03\x04", "latin1"), common, name, data);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((0o100755 << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    // 3: the attributes are Unix's.
    central.push(Buffer.from("PK\x01\x02\x14\x03", "latin1"), common, rest, name);
    offset += 30 + name.length + data.length;
  }
  const size = Buffer.concat(central).length;
  const end = Buffer.alloc(18);
  end.writeUInt16LE(Object.keys(files).length, 4);
  end.writeUInt16LE(Object.keys(files).length, 6);
  end.writeUInt32LE(size, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, ...central, Buffer.from("PK\x05\x06", "latin1"), end]);
}
