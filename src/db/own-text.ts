/**
 * Copies a text that is kept after its request. V8 keeps the whole text that a part was cut from, such as the packed
 * facts of a credential or a header of 16 KB, for as long as the part is held (`docs/operations.md`, "Memory"). A text
 * that was joined of parts holds them too, also as the key of a map.
 */
export function ownText(part: string): string {
  const copy = Buffer.from(part).toString();
  // UTF-8 cannot hold lone surrogates. A count under another name would never be found again.
  return copy === part ? copy : Buffer.from(part, 'utf16le').toString('utf16le');
}
