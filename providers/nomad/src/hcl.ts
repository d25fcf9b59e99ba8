/**
 * Values of a job's variables as Nomad's parser takes them: one `name = "value"` a line. Interpolation and quotes in a value
 * stay what they are.
 *
 * @see https://developer.hashicorp.com/nomad/docs/job-specification/hcl2/expressions#string-literals
 */
export function variableFile(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name} = ${literal(value)}\n`)
    .join("");
}

function literal(value: string): string {
  const escaped = value
    .replace(/[\\"]/g, "\\$&")
    .replace(/\$(?=\{)/g, "$$$$")
    .replace(/%(?=\{)/g, "%%")
    .replace(/\n/g, "\\n")
    .replace(/\r/g, "\\r")
    .replace(/\t/g, "\\t");
  return `"${escaped}"`;
}
