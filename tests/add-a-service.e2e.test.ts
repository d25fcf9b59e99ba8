import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StatusReport } from "../cli/commands/status.ts";
import { type Person, ShopClient } from "../cli/shop-client.ts";
import { createThrowawayLab, type ThrowawayLab, text } from "./support/throwaway-lab.ts";
import { until } from "./support/until.ts";

/** What the page allows a service's own logic to take. */
const maxLines = 150;

let lab: ThrowawayLab;
let shop: ShopClient;
let status: StatusReport;
let files: Map<string, string>;

beforeAll(async () => {
  lab = await createThrowawayLab("ninth");
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
  const [, line] = /## The line\n.*?```ts\n(.*?)```/s.exec(page) as RegExpExecArray;
  const table = join(lab.root, "infra/shop/services.ts");
  await writeFile(
    table,
    (await text(table)).replace("} as const satisfies Record<string, ServiceRow>", (end) => `${line}${end}`),
  );
  status = await lab.json<StatusReport>(["up"]);
  await lab.json(["seed"]);
  shop = new ShopClient(status.urls.gateway);
});

afterAll(async () => {
  await shop?.close();
  await lab?.remove();
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

test("who has ordered a product may review it, and is forgotten when erased", async () => {
  const account = { name: "Ada", email: "ada@example.org", password: "a password of Ada" };
  const ada: Person = await shop.register(account);
  const review = { stars: 5, text: "Warm and dry" };
  expect((await ada.send("PUT", "/api/reviews/jacket-1", { body: review })).status).toBe(403);
  expect((await shop.nobody.send("PUT", "/api/reviews/jacket-1", { body: review })).status).toBe(401);
  await ada.ask("POST", "/api/orders", {
    headers: { "idempotency-key": "one" },
    body: { lines: [{ sku: "jacket-1", quantity: 1 }] },
  });
  await until("the order to be known to the reviews", async () => {
    return (await ada.send("PUT", "/api/reviews/jacket-1", { body: review })).status === 200;
  });
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
