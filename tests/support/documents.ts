/** A command of a document, and what it is said to print. */
export interface DocumentedCommand {
  command: string;
  /** What follows `# =>`; empty for a command without it. */
  prints: string;
}

/** The commands in the code blocks of a Markdown text that are marked with `<!-- tested -->`. */
export function testedCommands(markdown: string): DocumentedCommand[] {
  return linesOfBlocks(markdown, "tested").map((line) => {
    const [command = "", comment = ""] = line.split(/\s+#\s/);
    return { command, prints: comment.startsWith("=> ") ? comment.slice("=> ".length) : "" };
  });
}

/** The commands in the marked tables of a Markdown text, apart from those that take minutes. */
export function tableCommands(markdown: string): string[] {
  return commandsOfTables(markdown)
    .filter(({ isLong }) => !isLong)
    .map(({ command }) => command);
}

/** The commands that take minutes: in tables with a clock behind them, and in code blocks that are marked with `<!-- long -->`. */
export function longCommands(markdown: string): string[] {
  return [
    ...commandsOfTables(markdown)
      .filter(({ isLong }) => isLong)
      .map(({ command }) => command),
    ...linesOfBlocks(markdown, "long").map((line) => line.split(/\s+#\s/)[0] as string),
  ];
}

/** The files and folders of the checkout that a Markdown text names as code; what a running lab makes in `.lab/` is none. */
export function namedFiles(markdown: string): string[] {
  const withoutBlocks = markdown.replaceAll(/^```.*?^```$/gms, "");
  return [...withoutBlocks.matchAll(/`([\w.@-]+(?:\/[\w.@-]+)+\/?)`/g)]
    .map(([, file]) => file as string)
    .filter((file) => !file.startsWith(".lab/"));
}

/** Of tables that are marked with `<!-- tested -->`. */
function commandsOfTables(markdown: string): Array<{ command: string; isLong: boolean }> {
  return [...markdown.matchAll(/<!-- tested -->\n+((?:\|.*\n?)+)/g)]
    .flatMap(([, table = ""]) => [...table.matchAll(/`((?:\.\/lab|curl|nomad|consul|pulumi) [^`]+)`( ⏱)?/g)])
    .map(([, command, mark]) => ({ command: command as string, isLong: mark !== undefined }));
}

function linesOfBlocks(markdown: string, mark: string): string[] {
  return [...markdown.matchAll(/<!-- (\w+) -->\n+```sh\n(.*?)```/gs)]
    .filter(([, name]) => name === mark)
    .flatMap(([, , block = ""]) => block.split("\n"))
    .filter((line) => line.trim() !== "");
}
