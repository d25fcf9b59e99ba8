/** An OpenAPI document, as far as it is looked into here. */
export interface ApiDocument {
  info: object;
  paths: object;
  components?: { schemas?: Record<string, unknown>; securitySchemes?: object };
}

/**
 * Puts the documents of modules into the front's. A schema gets its module's name before its own, since two modules may use one
 * name for different things.
 */
export function joinDocuments(front: ApiDocument, modules: Record<string, ApiDocument>): ApiDocument {
  const renamed = Object.entries(modules).map(([name, document]) => schemasBelow(name, document));
  return {
    ...front,
    paths: merged([front, ...renamed], ({ paths }) => paths),
    components: {
      schemas: merged(renamed, ({ components }) => components?.schemas),
      securitySchemes: merged([front, ...renamed], ({ components }) => components?.securitySchemes),
    },
  };
}

function schemasBelow(name: string, document: ApiDocument): ApiDocument {
  const prefix = "#/components/schemas/";
  const text = JSON.stringify(document).replaceAll(`"${prefix}`, `"${prefix}${name}.`);
  const { components, ...rest } = JSON.parse(text) as ApiDocument;
  const schemas = Object.entries(components?.schemas ?? {}).map(([key, schema]) => [
    `${name}.${key}`,
    schema,
  ]);
  return { ...rest, components: { ...components, schemas: Object.fromEntries(schemas) } };
}

function merged<T extends object>(
  documents: ApiDocument[],
  part: (document: ApiDocument) => T | undefined,
): T {
  return Object.assign({}, ...documents.map(part));
}
