import { Kernel1763600000000 } from './1763600000000-kernel.js';
import { Oauth1763700000000 } from './1763700000000-oauth.js';
import { Spaces1763810000000 } from './1763810000000-spaces.js';
import { Products1763820000000 } from './1763820000000-products.js';
import { RateWindows1763830000000 } from './1763830000000-rate-windows.js';
import { ImportedKeys1763840000000 } from './1763840000000-imported-keys.js';
import { GraceWindow1764030000000 } from './1764030000000-grace-window.js';
import { Interactions1764020000000 } from './1764020000000-interactions.js';
import { VerifiedEmails1764040000000 } from './1764040000000-verified-emails.js';
import { SessionLifetimes1764050000000 } from './1764050000000-session-lifetimes.js';
import { ForgottenClients1764060000000 } from './1764060000000-forgotten-clients.js';
import { ListOrder1764090000000 } from './1764090000000-list-order.js';
import { KeyList1764070000000 } from './1764070000000-key-list.js';

/** Every migration, oldest first. A released one is never changed. */
export const MIGRATIONS = [
  Kernel1763600000000,
  Oauth1763700000000,
  Spaces1763810000000,
  Products1763820000000,
  RateWindows1763830000000,
  ImportedKeys1763840000000,
  GraceWindow1764030000000,
  Interactions1764020000000,
  VerifiedEmails1764040000000,
  SessionLifetimes1764050000000,
  ForgottenClients1764060000000,
  ListOrder1764090000000,
  KeyList1764070000000,
];
