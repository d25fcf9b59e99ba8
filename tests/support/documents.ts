/** A command of a document, and what it is said to print. */
export interface DocumentedCommand {
  command: string;
  /** What follows `# =>`; empty for a command without it. */
  prints: string;
}

/** The commands in the code blocks of a Markdown text that are marked with `<!-- tested -->`. */
export function testedCommands(markdown: string): DocumentedCommand[] {
  return [...markdown.matchAll(/<!-- tested -->\n```sh\n(.*?)```/gs)]
    .flatMap(([, block = ""]) => block.split("\n"))
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [command = "", comment = ""] = line.split(/\s+#\s/);
      return { command, prints: comment.startsWith("=> ") ? comment.slice("=> ".length) : "" };
    });
}
