export {
  createSigningKeyStore,
  deleteEndedKeys,
  type PublishedKey,
  type SigningKeyStore,
} from './signing-key-store.js';
export { createSigningKeys, type SigningKeys, type SigningKeySnapshot } from './signing-keys.js';
