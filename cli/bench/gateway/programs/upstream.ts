import { createServer } from "node:http";

/** An instance that the proxies have before them: it answers anything with a small document, and does nothing else. */
const body = JSON.stringify({
  id: 1,
  name: "Notebook, A5, dotted, 192 pages",
  description: "Lies flat when it is open, and takes ink without showing it on the other side.",
  price: { amount: 24900, currency: "INR" },
  stock: 42,
});
const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };

createServer((request, response) => {
  request.resume();
  response.writeHead(200, headers).end(body);
}).listen(Number(process.env.PORT), "127.0.0.1");
