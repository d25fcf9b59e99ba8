import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StatusReport } from "../cli/commands/status.ts";
import type { DeadLetter } from "../cli/queue/dead-letters.ts";
import { type Person, ShopClient } from "../cli/shop-client.ts";
import { createThrowawayLab, type ThrowawayLab, text } from "./support/throwaway-lab.ts";
import { until } from "./support/until.ts";

/** What the page allows a service's own logic to take. */
const maxLines = 150;

let lab: ThrowawayLab;
let shop: ShopClient;
let status: StatusReport;
let files: Map<string, string>;
let ben: Person;

const review = { stars: 5, text: "Warm and dry" };

beforeAll(async () => {
  lab = await createThrowawayLab("ninth");
  status = await lab.json<StatusReport>(["up"]);
  await lab.json(["seed"]);
  shop = new ShopClient(status.urls.gateway);
  // Not one of the example data.
  ben = await register("Ben");
  await order(ben, "jacket-2");
  await addTheService();
  status = await lab.json<StatusReport>(["up"]);
});

afterAll(async () => {
  await shop?.close();
  await lab?.remove();
});

/** Does what the page says, but for `npm install`, after which `lab` would fetch all packages again. */
async function addTheService(): Promise<void> {
  const page = await text(join(lab.root, "docs/add-a-service.md"));
  files = new Map(
    [...page.matchAll(/`(services\/review\/[^`]+)`:\n\n```\w+\n(.*?)```/gs)].map(([, file, content]) => [
      file as string,
      content as string,
    ]),
  );
  for (const [file, content] of files) {
    await mkdir(dirname(join(lab.root, file)), { recursive: true });
    await writeFile(join(lab.root, file), content);
  }
  const [, row] = /## The row\n.*?```ts\n(.*?)```/s.exec(page) as RegExpExecArray;
  const table = join(lab.root, "infra/shop/services.ts");
  await writeFile(
    table,
    (await text(table)).replace("} as const satisfies Record<string, ServiceRow>", (end) => `${row}${end}`),
  );
}

function register(name: string): Promise<Person> {
  return shop.register({
    name,
    email: `${name.toLowerCase()}@example.org`,
    password: `a password of ${name}`,
  });
}

async function order(person: Person, sku: string): Promise<void> {
  await person.ask("POST", "/api/orders", {
    headers: { "idempotency-key": "one" },
    body: { lines: [{ sku, quantity: 1 }] },
  });
}

function mayReview(person: Person, sku: string): Promise<void> {
  return until(`the order of ${sku} to be known to the reviews`, async () => {
    return (await person.send("PUT", `/api/reviews/${sku}`, { body: review })).status === 200;
  });
}

function deadLetters(): Promise<DeadLetter[]> {
  return lab.json<DeadLetter[]>(["dlq", "list"]);
}

/** Runs one of the checkout's own tools. */
function tool(name: string, ...args: string[]) {
  return execa(name, args, { cwd: lab.root, preferLocal: true, localDir: lab.root });
}

test("it is written as the checks of the repository want it", async () => {
  await tool("biome", "ci", "services/review", "infra/shop/services.ts");
  await tool("tsc", "--noEmit");
});

test("npm enters its folder, and nothing else", async () => {
  const lock = join(lab.root, "package-lock.json");
  const before = await text(lock);
  const packagesIn = (json: string) => Object.keys((JSON.parse(json) as { packages: object }).packages);
  await tool("npm", "install", "--package-lock-only", "--offline", "--no-audit", "--no-fund");
  const after = await text(lock);
  await writeFile(lock, before);
  expect(packagesIn(after).filter((name) => !packagesIn(before).includes(name))).toEqual([
    "node_modules/@lab/review",
    "services/review",
  ]);
});

test("its own logic is short", () => {
  expect(files.size).toBe(6);
  const lines = [...files]
    .filter(([file]) => file.endsWith(".ts"))
    .flatMap(([, content]) => content.replaceAll(/^import .*?;\n/gms, "").split("\n"));
  expect(lines.filter((line) => line.trim() !== "").length).toBeLessThan(maxLines);
});

test("it runs with the others", () => {
  expect(status.jobs.find(({ name }) => name === "review")?.state).toBe("healthy");
});

test("who had ordered a product before it was there may review it", async () => {
  await mayReview(ben, "jacket-2");
  expect(await deadLetters()).toEqual([]);
});

test("who has ordered a product may review it, and is forgotten when erased", async () => {
  const ada = await register("Ada");
  expect((await ada.send("PUT", "/api/reviews/jacket-1", { body: review })).status).toBe(403);
  expect((await shop.nobody.send("PUT", "/api/reviews/jacket-1", { body: review })).status).toBe(401);
  await order(ada, "jacket-1");
  await mayReview(ada, "jacket-1");
  expect(await shop.nobody.ask("GET", "/api/reviews/jacket-1")).toEqual([review]);

  const { erasureId } = await ada.ask<{ erasureId: string }>("DELETE", `/api/users/${await ada.id()}`);
  interface Report {
    complete: boolean;
    services: Array<{ service: string; records: number }>;
  }
  let report: Report | undefined;
  await until(
    "everybody to have erased the person",
    async () => {
      report = await shop.nobody.ask<Report>("GET", `/api/users/erasures/${erasureId}`);
      return report.complete;
    },
    60_000,
  );
  // Complete means that the ninth has answered as well.
  expect(report?.services).toContainEqual(expect.objectContaining({ service: "review", records: 2 }));
  expect(await shop.nobody.ask("GET", "/api/reviews/jacket-1")).toEqual([]);
});

test("what it can't handle is shown with its reason, and can be tried again", async () => {
  const variables = await lab.json<Record<string, string>>(["env"]);
  const nats = await connect({
    servers: variables.NATS_URL,
    user: variables.NATS_USER,
    pass: variables.NATS_PASSWORD,
  });
  await jetstream(nats).publish("shop.0.order.placed.v1", "no event");
  await nats.close();
  const ofReview = async () => (await deadLetters()).filter(({ service }) => service === "review");
  await until("the dead letter", async () => (await ofReview()).length === 1);
  const [letter] = await ofReview();
  const number = String(letter?.sequence);
  expect(await lab.json(["dlq", "show", number])).toEqual(letter);
  expect(letter).toMatchObject({ subject: "shop.0.order.placed.v1", data: "no event", attempts: 1 });

  expect(await lab.json(["dlq", "replay", number])).toEqual([letter]);
  await until("it to be given up again", async () => {
    const [again] = await ofReview();
    return again !== undefined && again.sequence !== letter?.sequence;
  });
  expect((await lab.lab(["dlq", "show", number])).exitCode).not.toBe(0);
});
