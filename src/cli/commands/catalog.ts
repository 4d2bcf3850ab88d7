import { CATALOG, SCOPES } from '../../scopes/catalog.js';
import { delegableBy, delegableThroughOauth, ROLES } from '../../scopes/roles.js';
import { defineLocalCommand, type Command } from '../command.js';

export const CATALOG_COMMANDS: readonly Command[] = [
  defineLocalCommand({
    name: 'scopes list',
    summary: 'Lists the scopes of the catalogue, and where each can be granted.',
    details:
      'grantedTo: "all" on keys and through OAuth, "keys" never through OAuth, "oauth" never on a key. Publishable keys can carry those that are public.',
    examples: ['cli scopes list', 'cli scopes list --json'],
    columns: ['scope', 'grantedTo', 'public', 'description'],
    runLocally: async () =>
      SCOPES.map((scope) => {
        const { group, description, public: isPublic, grantedTo } = CATALOG[scope];
        return { scope, group, description, public: isPublic, grantedTo };
      }),
  }),
  defineLocalCommand({
    name: 'roles list',
    summary: 'Lists the roles of members, and the scopes that each can delegate.',
    examples: ['cli roles list --wide'],
    columns: ['role', 'scopes'],
    runLocally: async () =>
      ROLES.map((role) => ({
        role,
        scopes: delegableBy(role),
        throughOauth: delegableThroughOauth(role),
      })),
  }),
];
