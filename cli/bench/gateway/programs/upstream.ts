import { createServer } from "node:http";

/** An instance that the proxies have before them: it answers anything with a small document, and does nothing else, for a while if it is to. */
const body = JSON.stringify({
  id: 1,
  name: "Notebook, A5, dotted, 192 pages",
  description: "Lies flat when it is open, and takes ink without showing it on the other side.",
  price: { amount: 24900, currency: "INR" },
  stock: 42,
});
const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };

const takesMs = Number(process.env.TAKES_MS ?? 0);

createServer((request, response) => {
  request.resume();
  const answer = () => response.writeHead(200, headers).end(body);
  if (takesMs > 0) {
    setTimeout(answer, takesMs);
  } else {
    answer();
  }
}).listen(Number(process.env.PORT), "127.0.0.1");
