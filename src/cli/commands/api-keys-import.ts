import type { ImportReport } from '../../api-keys/index.js';
import { defineCommand } from '../command.js';

export const IMPORT_COMMAND = defineCommand({
  name: 'api-keys import',
  summary: 'Imports keys that were issued elsewhere, by their SHA-256. Can be repeated.',
  details:
    'The input has a JSON object on each line: {"sha256", "name", "scopes", "hint", …}. Keys start with a prefix, or are written in a pattern: hexN, base62-N, base64url-N (N characters) or uuid. "hint" is the last four characters. Keys of fewer than 16 characters are never accepted: "length" lets them be refused by line.',
  options: {
    tenant: { value: 'TENANT', required: true, summary: 'id or slug of the tenant' },
    prefix: { value: 'PREFIX', repeatable: true, summary: 'characters that the keys start with' },
    pattern: {
      value: 'PATTERN',
      repeatable: true,
      summary: 'form of keys without a common prefix, such as hex32',
    },
    file: { value: 'FILE', summary: 'file to read instead of standard input' },
    refused: { value: 'FILE', summary: 'file for all refused lines, with the reasons' },
    'no-wait': { summary: 'do not wait until every server knows a new prefix or pattern' },
  },
  examples: [
    'cli api-keys import --tenant acme --prefix sk_live_ --file keys.jsonl --refused refused.jsonl',
    'cli api-keys import --tenant acme --pattern hex32 < keys.jsonl',
  ],
  commitsItself: true,
  run: async (context, values) =>
    (await import('../actions/api-keys-import.js')).importKeysFrom(context, values),
  isRefusal: (result) => (result as ImportReport).refused > 0,
});
