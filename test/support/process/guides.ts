import { readFile } from 'node:fs/promises';

/**
 * The blocks of a language in a document, word for word.
 * @throws Error if there is none
 */
export async function blocksOf(document: string, language: string): Promise<readonly string[]> {
  const text = await readFile(document, 'utf8');
  const [, ...parts] = text.split(`\n\`\`\`${language}\n`);
  const blocks = parts.map((part) => part.split('\n```')[0] ?? '');
  if (blocks.length === 0) throw new Error(`${document} has no block of ${language}`);
  return blocks.map((block) => `${block}\n`);
}

/**
 * Replaces every occurrence of texts, such as the addresses of a guide.
 * @throws Error if a text does not occur: the guide has changed
 */
export function replaceAll(text: string, replacements: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [before, after] of Object.entries(replacements)) {
    if (!result.includes(before)) throw new Error(`${before} is not in: ${text}`);
    result = result.replaceAll(before, after);
  }
  return result;
}
