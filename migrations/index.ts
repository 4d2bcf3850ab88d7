import { Kernel1763600000000 } from './1763600000000-kernel.js';
import { Oauth1763700000000 } from './1763700000000-oauth.js';
import { Spaces1763810000000 } from './1763810000000-spaces.js';
import { Products1763820000000 } from './1763820000000-products.js';
import { RateWindows1763830000000 } from './1763830000000-rate-windows.js';
import { ImportedKeys1763840000000 } from './1763840000000-imported-keys.js';
import { Interactions1764020000000 } from './1764020000000-interactions.js';
import { GraceWindow1764030000000 } from './1764030000000-grace-window.js';
import { VerifiedEmails1764040000000 } from './1764040000000-verified-emails.js';
import { SessionLifetimes1764050000000 } from './1764050000000-session-lifetimes.js';
import { ForgottenClients1764060000000 } from './1764060000000-forgotten-clients.js';
import { KeyList1764070000000 } from './1764070000000-key-list.js';
import { ListOrder1764090000000 } from './1764090000000-list-order.js';
import { Compatibility1764120000000 } from './1764120000000-compatibility.js';
import { FirstStart1764121000000 } from './1764121000000-first-start.js';
import { UnusedClients1764122000000 } from './1764122000000-unused-clients.js';
import { ImportedPatterns1764140000000 } from './1764140000000-imported-patterns.js';
import { AuditBorder1764141000000 } from './1764141000000-audit-border.js';
import { AuditIndexes1764142000000 } from './1764142000000-audit-indexes.js';
import { AuditPartitions1764143000000 } from './1764143000000-audit-partitions.js';
import { ListIndexes1764144000000 } from './1764144000000-list-indexes.js';
import { WiderPartitions1764150000000 } from './1764150000000-wider-partitions.js';
import { HotUpdates1764150100000 } from './1764150100000-hot-updates.js';
import { NeededRevocations1764150200000 } from './1764150200000-needed-revocations.js';
import { SecretHandovers1764160000000 } from './1764160000000-secret-handovers.js';
import { AuditLists1764161000000 } from './1764161000000-audit-lists.js';
import { AuditListIndexes1764161100000 } from './1764161100000-audit-list-indexes.js';
import { AuditListOrder1764161200000 } from './1764161200000-audit-list-order.js';
import { UsageCounts1764161300000 } from './1764161300000-usage-counts.js';
import { Mail1764162000000 } from './1764162000000-mail.js';
import { ConnectedApps1764163000000 } from './1764163000000-connected-apps.js';
import { BlockedClients1764163100000 } from './1764163100000-blocked-clients.js';
import { ClientDocuments1764164000000 } from './1764164000000-client-documents.js';
import { PushedRequests1764164200000 } from './1764164200000-pushed-requests.js';
import { ResourceServers1764165000000 } from './1764165000000-resource-servers.js';
import { ExchangedTokens1764165100000 } from './1764165100000-exchanged-tokens.js';
import { ProofKeys1764166000000 } from './1764166000000-proof-keys.js';
import { VerdictChanges1764167000000 } from './1764167000000-verdict-changes.js';
import { Administrators1764168000000 } from './1764168000000-administrators.js';
import { ClientLogos1764171000000 } from './1764171000000-client-logos.js';
import { ClientKeys1764171100000 } from './1764171100000-client-keys.js';
import { ExternalIds1764174000000 } from './1764174000000-external-ids.js';
import { ExternalIdIndexes1764174100000 } from './1764174100000-external-id-indexes.js';
import { OperatorKeys1764175000000 } from './1764175000000-operator-keys.js';
import { RolesOfTheCatalogue1764177000000 } from './1764177000000-roles-of-the-catalogue.js';
import { EventPositions1764182000000 } from './1764182000000-event-positions.js';
import { EventIndexes1764182100000 } from './1764182100000-event-indexes.js';
import { EventOrder1764182200000 } from './1764182200000-event-order.js';
import { Webhooks1764182300000 } from './1764182300000-webhooks.js';
import { Jobs1764182400000 } from './1764182400000-jobs.js';
import { KeyNotices1764182500000 } from './1764182500000-key-notices.js';
import { IdentityLinks1764183000000 } from './1764183000000-identity-links.js';
import { InvitationsByEmail1764183100000 } from './1764183100000-invitations-by-email.js';
import { ImportedPasswords1764184000000 } from './1764184000000-imported-passwords.js';
import { OperatorKeyUses1764184100000 } from './1764184100000-operator-key-uses.js';
import { ClientsOfTenant1764187100000 } from './1764187100000-clients-of-tenant.js';
import { RoomForUpdates1764189100000 } from './1764189100000-room-for-updates.js';
import { WebhookRemoval1764189800000 } from './1764189800000-webhook-removal.js';
import { KeysInOrder1764190000000 } from './1764190000000-keys-in-order.js';
import type { Migration } from './migration.js';

/** Migrations of releases before they declared anything. They are never changed. */
const UNDECLARED = [
  Kernel1763600000000,
  Oauth1763700000000,
  Spaces1763810000000,
  Products1763820000000,
  RateWindows1763830000000,
  ImportedKeys1763840000000,
];

/** Migrations that declare whether an older program may serve on them. New ones are appended here. */
const DECLARED: readonly (new () => Migration)[] = [
  Interactions1764020000000,
  GraceWindow1764030000000,
  VerifiedEmails1764040000000,
  SessionLifetimes1764050000000,
  ForgottenClients1764060000000,
  KeyList1764070000000,
  ListOrder1764090000000,
  Compatibility1764120000000,
  FirstStart1764121000000,
  UnusedClients1764122000000,
  ImportedPatterns1764140000000,
  AuditBorder1764141000000,
  AuditIndexes1764142000000,
  AuditPartitions1764143000000,
  ListIndexes1764144000000,
  WiderPartitions1764150000000,
  HotUpdates1764150100000,
  NeededRevocations1764150200000,
  SecretHandovers1764160000000,
  AuditLists1764161000000,
  AuditListIndexes1764161100000,
  AuditListOrder1764161200000,
  UsageCounts1764161300000,
  Mail1764162000000,
  ConnectedApps1764163000000,
  BlockedClients1764163100000,
  ClientDocuments1764164000000,
  PushedRequests1764164200000,
  ResourceServers1764165000000,
  ExchangedTokens1764165100000,
  ProofKeys1764166000000,
  VerdictChanges1764167000000,
  Administrators1764168000000,
  ClientLogos1764171000000,
  ClientKeys1764171100000,
  ExternalIds1764174000000,
  ExternalIdIndexes1764174100000,
  OperatorKeys1764175000000,
  RolesOfTheCatalogue1764177000000,
  EventPositions1764182000000,
  EventIndexes1764182100000,
  EventOrder1764182200000,
  Webhooks1764182300000,
  Jobs1764182400000,
  KeyNotices1764182500000,
  IdentityLinks1764183000000,
  InvitationsByEmail1764183100000,
  ImportedPasswords1764184000000,
  OperatorKeyUses1764184100000,
  ClientsOfTenant1764187100000,
  RoomForUpdates1764189100000,
  WebhookRemoval1764189800000,
  KeysInOrder1764190000000,
];

/** Every migration, oldest first. A released one is never changed. */
export const MIGRATIONS = [...UNDECLARED, ...DECLARED];
