import { z } from 'zod';

/** A JSON Schema (2020-12), as OpenAPI 3.1 embeds it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The schema of a request: members with a default can be left out. Checks in code are not expressed. */
export function requestSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'input');
}

/** The schema of an answer. */
export function answerSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'output');
}

function convert(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const items = itemsOf(zodSchema);
      if (items !== undefined && io === 'input')
        Object.assign(jsonSchema, { items: convert(items, io) });
    },
  });
  return converted;
}

/** The items of a `boundedList`, whose input is a list of anything. */
function itemsOf(schema: z.core.$ZodType): z.ZodType | undefined {
  if (!(schema instanceof z.ZodPipe)) return undefined;
  const { out } = schema.def;
  return out instanceof z.ZodArray ? (out.element as z.ZodType) : undefined;
}
