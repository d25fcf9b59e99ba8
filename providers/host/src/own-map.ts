import { decode, encode, type SourceMapSegment } from "@jridgewell/sourcemap-codec";

interface SourceMap {
  sources: string[];
  mappings: string;
}

/**
 * Takes what comes from `node_modules` out of a source map (https://tc39.es/ecma426/). Node reads the whole map into memory at
 * the first error whose stack is looked at: with the dependencies, that is some 75 MiB for a service, for positions in their
 * code that nobody needs.
 *
 * @param text the map as JSON
 */
export function ownMap(text: string): string {
  const map = JSON.parse(text) as SourceMap;
  const isOwn = map.sources.map((source) => !/(^|\/)node_modules\//.test(source));
  const kept = map.sources.filter((_source, index) => isOwn[index]);
  const numbers = map.sources.map((source) => kept.indexOf(source));
  let wasOwn = false;
  const lines = decode(map.mappings).map((segments) =>
    segments.flatMap((segment): SourceMapSegment[] => {
      const own = segment.length > 1 && isOwn[segment[1] as number] === true;
      // One position without a source ends what came before it: a reader takes a position for that of the last one before.
      const ends = wasOwn && !own;
      wasOwn = own;
      if (own) {
        const [column, source, line, sourceColumn] = segment as [number, number, number, number];
        return [[column, numbers[source] as number, line, sourceColumn]];
      }
      return ends ? [[segment[0]]] : [];
    }),
  );
  return JSON.stringify({ ...map, sources: kept, names: [], mappings: encode(lines) });
}
