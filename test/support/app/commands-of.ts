import { readFile } from 'node:fs/promises';

/**
 * The commands of a section of a document, as they are written in it.
 * @returns for each heading of the third level the blocks of `sh` below it
 */
export async function commandsOf(
  document: string,
  section: string,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const text = await readFile(document, 'utf8');
  const [, body] = text.split(`\n## ${section}\n`);
  if (body === undefined) throw new Error(`there is no section ${section} in ${document}`);
  const parts = (body.split('\n## ')[0] ?? '').split('\n### ').slice(1);
  return Object.fromEntries(
    parts.map((part) => [
      part.slice(0, part.indexOf('\n')),
      [...part.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block),
    ]),
  );
}
