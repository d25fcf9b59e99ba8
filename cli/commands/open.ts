import { Argument, Command } from "commander";
import openInBrowser from "open";
import { request } from "undici";
import { printResult, say } from "../output.ts";
import { notRunning, type Outputs, outputsOf } from "../outputs.ts";
import { stackOf, wantsJson } from "./options.ts";

interface Page {
  url(outputs: Outputs): string | Promise<string>;
  /** What is to be known beside the URL. */
  hint?: string;
}

const pages: Record<string, Page> = {
  nomad: { url: signedInToNomad },
  consul: {
    url: ({ urls }) => `${urls.consul}/ui/`,
    hint: "Health is open to everyone on this machine. To see more, log in with the token in `./lab env` (CONSUL_HTTP_TOKEN).",
  },
  neo4j: {
    url: ({ urls, credentials: { neo4j } }) =>
      `${urls.neo4j}?dbms=${encodeURIComponent(`bolt://${neo4j.user}@${neo4j.host}:${neo4j.port}`)}`,
    hint: "The Neo4j Browser asks for the password: it is NEO4J_PASSWORD in `./lab env`.",
  },
  gateway: { url: ({ urls }) => urls.gateway },
  mail: { url: ({ urls }) => urls.mail },
};

export function openCommand(): Command {
  return new Command("open")
    .description("print the URL of a page, signed in where it can be, and open it in a browser")
    .addArgument(new Argument("<page>", "which one").choices(Object.keys(pages)))
    .option("--url", "only print the URL")
    .option("--json", "only print the URL, as JSON")
    .action(async (name: string, { url: onlyUrl }: { url?: boolean }, command: Command) => {
      const stack = stackOf(command);
      const page = pages[name] as Page;
      const outputs = await outputsOf(stack);
      const url = await Promise.resolve(page.url(outputs)).catch(() => {
        throw notRunning(stack, name);
      });
      const json = wantsJson(command);
      printResult(json, { url }, () => url);
      if (onlyUrl || json) {
        return;
      }
      if (page.hint) {
        say(page.hint);
      }
      if (process.stdout.isTTY && (process.env.DISPLAY || process.env.WAYLAND_DISPLAY)) {
        await openInBrowser(url);
      }
    });
}

/** Nomad's UI takes a token by a one-time secret in its URL, which is of no use a second time. */
async function signedInToNomad({ urls, credentials }: Outputs): Promise<string> {
  const { statusCode, body } = await request(new URL("/v1/acl/token/onetime", urls.nomad), {
    method: "POST",
    headers: { "x-nomad-token": credentials.nomadToken },
  });
  if (statusCode !== 200) {
    throw new Error(await body.text());
  }
  const { OneTimeToken } = (await body.json()) as { OneTimeToken: { OneTimeSecretID: string } };
  return `${urls.nomad}/ui/jobs?ott=${OneTimeToken.OneTimeSecretID}`;
}
