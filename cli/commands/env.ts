import { delimiter, join } from "node:path";
import { Command } from "commander";
import { locateTools } from "../../toolchain/tools.ts";
import { printResult } from "../output.ts";
import { outputsOf, type StoreName } from "../outputs.ts";
import { prepareStack, pulumiEnvironment } from "../pulumi.ts";
import { prepareFolders, type Stack, syncConfig } from "../stack.ts";
import { stackOf, wantsJson } from "./options.ts";

const stores: StoreName[] = ["mysql", "mongodb", "cassandra", "redis", "neo4j"];

export function envCommand(): Command {
  return new Command("env")
    .description('print what a shell needs for pulumi, nomad and consul: eval "$(./lab env)"')
    .option("--json", "print it as JSON")
    .action(async (_options, command: Command) => {
      const variables = await variablesOf(stackOf(command));
      printResult(wantsJson(command), variables, () =>
        Object.entries(variables)
          .map(([name, value]) => `export ${name}=${quoted(value)}`)
          .join("\n"),
      );
    });
}

/** The variables for a person's shell. Those with addresses and tokens need a stack that has been brought up. */
async function variablesOf(stack: Stack): Promise<Record<string, string>> {
  prepareFolders(stack);
  syncConfig(stack);
  await prepareStack(stack);
  const variables = pulumiEnvironment(stack, await locateTools());
  const common = {
    ...variables,
    // `pulumi` of this folder hands over to the real one with the stack's own copy of the configuration.
    PATH: [join(stack.folders.root, "cli", "bin"), variables.PATH].join(delimiter),
    LAB_STACK: stack.name,
    PULUMI_STACK: stack.name,
    ...(process.env.LAB_CONFIG ? { LAB_CONFIG: stack.configSource } : {}),
  };
  const outputs = await outputsOf(stack).catch(() => undefined);
  if (!outputs) {
    return common;
  }
  const { urls, region, credentials } = outputs;
  return {
    ...common,
    NOMAD_ADDR: urls.nomad,
    NOMAD_REGION: region,
    NOMAD_TOKEN: credentials.nomadToken,
    CONSUL_HTTP_ADDR: urls.consul,
    CONSUL_HTTP_TOKEN: credentials.consulToken,
    NATS_URL: urls.nats,
    NATS_USER: credentials.nats.user,
    NATS_PASSWORD: credentials.nats.password,
    SHOP_ADMIN_EMAIL: credentials.shopAdmin.email,
    SHOP_ADMIN_PASSWORD: credentials.shopAdmin.password,
    PROVIDER_API_KEY: credentials.paymentProvider.apiKey,
    ...Object.fromEntries(
      stores.map((name) => [`${name.toUpperCase()}_PASSWORD`, credentials[name].password]),
    ),
  };
}

/** A value for a POSIX shell. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
