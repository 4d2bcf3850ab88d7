import { createHash } from 'node:crypto';

import { isId } from '../db/id.js';
import type { ClientMetadata } from './registration/client-metadata.js';
import { isDocumentUrl } from './documents/document-url.js';
import { withoutLoopbackPort } from './redirect-uri.js';

const HEX_DIGITS_OF_128_BITS = 32;

/**
 * The canonical metadata of a public client: loopback redirects without ports, and sorted lists. It is equal for all
 * installations of an app.
 */
export function publicForm(metadata: ClientMetadata): ClientMetadata {
  const sorted = (values: readonly string[]) => [...new Set(values)].toSorted();
  return {
    ...metadata,
    redirect_uris: sorted(metadata.redirect_uris.map(withoutLoopbackPort)),
    grant_types: sorted(metadata.grant_types),
    response_types: sorted(metadata.response_types),
    ...(metadata.contacts && { contacts: sorted(metadata.contacts) }),
    ...(metadata.post_logout_redirect_uris && {
      post_logout_redirect_uris: sorted(
        metadata.post_logout_redirect_uris.map(withoutLoopbackPort),
      ),
    }),
  };
}

/**
 * The id of a public client: 128 bits of the SHA-256 of its canonical metadata, as JSON with sorted members. It depends on
 * nothing else, so that the same app keeps its id after a key rotation and on every server.
 */
export function publicClientId(metadata: ClientMetadata): string {
  const { scope, ...kept } = publicForm(metadata);
  // Sorted, because the catalogue's order may change.
  const words = scope === undefined ? {} : { scope: scope.split(' ').toSorted().join(' ') };
  const members = Object.entries({ ...kept, ...words }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const canonical = JSON.stringify(Object.fromEntries(members));
  const hash = createHash('sha256').update(canonical).digest('hex');
  return `cli_${hash.slice(0, HEX_DIGITS_OF_128_BITS)}`;
}

/** Whether a text has the form of a public client's id. */
export function isPublicClientId(text: string): boolean {
  return /^cli_[0-9a-f]{32}$/.test(text);
}

/** Whether a text has the form of a client's id: of a registered one, or the URL of a document. */
export function isClientId(text: string): boolean {
  return isPublicClientId(text) || isId('cli', text) || isDocumentUrl(text);
}
