export { ACCOUNT_QUERIES, createAccountLookup } from './account-lookup.js';
export {
  type AccountMembership,
  createAccountStore,
  type Member,
  normalizeEmail,
} from './account-store.js';
export { Account } from './account.entity.js';
export { createHashingQueue } from './hashing-queue.js';
export { Membership } from './membership.entity.js';
export { createSignIn } from './sign-in.js';
