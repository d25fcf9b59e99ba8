import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import yauzl from "yauzl";

/** Unpacks a zip archive with the permissions that it names; a path that leads out of the folder is refused. */
export async function fromPath(archive: string, folder: string): Promise<void> {
  const zip = (await promisify<string, yauzl.Options, yauzl.ZipFile>(yauzl.open)(archive, {
    lazyEntries: true,
  })) as yauzl.ZipFile;
  const openEntry = promisify<yauzl.Entry, NodeJS.ReadableStream>(zip.openReadStream.bind(zip));
  await new Promise<void>((done, fail) => {
    zip.once("end", done);
    zip.once("error", fail);
    zip.on("entry", (entry: yauzl.Entry) => {
      extract(entry).then(() => zip.readEntry(), fail);
    });
    zip.readEntry();
  });

  async function extract(entry: yauzl.Entry): Promise<void> {
    const target = resolve(folder, entry.fileName);
    if (!target.startsWith(resolve(folder) + sep)) {
      throw new Error(`${archive} holds ${entry.fileName}, which leads out of its folder.`);
    }
    if (entry.fileName.endsWith("/")) {
      await mkdir(target, { recursive: true });
      return;
    }
    await mkdir(dirname(target), { recursive: true });
    // The upper half of the external attributes is the Unix mode (APPNOTE.TXT, 4.4.15).
    const mode = (entry.externalFileAttributes >>> 16) & 0o777 || 0o644;
    await pipeline(await openEntry(entry), createWriteStream(target, { mode }));
  }
}
