/** A message as it came over the wire: names and order of its headers as sent, its body without chunks. */
export interface RawMessage {
  startLine: string;
  headers: Array<[name: string, value: string]>;
  body: string;
  trailers: Array<[name: string, value: string]>;
  /** Whether its body came in chunks. */
  isChunked: boolean;
}

/** The values of a header, each of its lines by itself. */
export function valuesOf(headers: RawMessage["headers"] = [], name: string): string[] {
  return headers.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
}

/**
 * Takes the first message off bytes that have arrived, as latin1.
 *
 * @param hasBody false for what answers HEAD, whose headers tell of a body that is not there
 * @returns `undefined` while it isn't whole yet
 */
export function takeMessage(
  bytes: string,
  hasBody = true,
): { message: RawMessage; rest: string } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) {
    return undefined;
  }
  const [startLine = "", ...lines] = bytes.slice(0, end).split("\r\n");
  const headers = lines.map(headerOf);
  const after = bytes.slice(end + 4);
  const message = { startLine, headers, body: "", trailers: [], isChunked: false };
  if (!hasBody || /^HTTP\/1\.\d (1\d\d|204|304) /.test(`${startLine} `)) {
    return { message, rest: after };
  }
  if (valuesOf(headers, "transfer-encoding").some((coding) => /chunked/i.test(coding))) {
    const chunks = takeChunks(after);
    return chunks && { message: { ...message, ...chunks.read, isChunked: true }, rest: chunks.rest };
  }
  const length = Number(valuesOf(headers, "content-length")[0] ?? 0);
  return after.length < length
    ? undefined
    : { message: { ...message, body: after.slice(0, length) }, rest: after.slice(length) };
}

function takeChunks(
  bytes: string,
): { read: Pick<RawMessage, "body" | "trailers">; rest: string } | undefined {
  let body = "";
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.slice(at, lineEnd), 16);
    if (lineEnd < 0 || bytes.length < lineEnd + 2 + size + 2) {
      return undefined;
    }
    if (size === 0) {
      const trailersAt = lineEnd + 2;
      const end = bytes.startsWith("\r\n", trailersAt)
        ? trailersAt - 2
        : bytes.indexOf("\r\n\r\n", trailersAt);
      const lines = bytes.slice(trailersAt, end).split("\r\n").filter(Boolean);
      return end < 0
        ? undefined
        : { read: { body, trailers: lines.map(headerOf) }, rest: bytes.slice(end + 4) };
    }
    body += bytes.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}

function headerOf(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
