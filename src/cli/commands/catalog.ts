import { SCOPES, scopeFacts } from '../../scopes/catalog.js';
import {
  delegableBy,
  delegableThroughOauth,
  ROLES,
  sentenceOf,
  titleOf,
} from '../../scopes/roles.js';
import { defineCommand, defineLocalCommand, type Command } from '../command.js';

const actions = () => import('../actions/catalog.js');

export const CATALOG_COMMANDS: readonly Command[] = [
  defineCommand({
    name: 'catalog check',
    summary: 'Checks a catalogue, and lists the keys, grants and members that it touches.',
    details:
      'Run it before a server starts with the file as its CATALOG_FILE. A key or member is touched if its scope or role is not in the file and not renamed by it. All faults of the file are listed at once, each with its place.',
    arguments: { file: { required: true, summary: 'JSON file of the catalogue' } },
    examples: ['cli catalog check catalogue.json'],
    run: async (context, values) => (await actions()).checkCatalog(context, values),
  }),
  defineLocalCommand({
    name: 'catalog show',
    summary: 'Prints the document of the catalogue in use, with all defaults.',
    examples: ['cli catalog show --json > catalogue.json'],
    runLocally: async () => (await actions()).showCatalog(),
  }),
  defineLocalCommand({
    name: 'catalog schema',
    summary: 'Prints the JSON Schema of a catalogue.',
    examples: ['cli catalog schema --json > catalogue.schema.json'],
    runLocally: async () => (await actions()).showSchema(),
  }),
  defineLocalCommand({
    name: 'scopes list',
    summary: 'Lists the scopes of the catalogue, and where each can be granted.',
    details:
      'grantedTo: "all" on keys and through OAuth, "keys" never through OAuth, "oauth" never on a key. Publishable keys can carry those that are public.',
    examples: ['cli scopes list', 'cli scopes list --json'],
    columns: ['scope', 'grantedTo', 'public', 'description'],
    runLocally: async () =>
      SCOPES.map((scope) => {
        const { group, description, public: isPublic, basic, grantedTo } = scopeFacts(scope);
        return { scope, group, description, public: isPublic, basic, grantedTo };
      }),
  }),
  defineLocalCommand({
    name: 'roles list',
    summary: 'Lists the roles of members, and the scopes that each can delegate.',
    examples: ['cli roles list --wide'],
    columns: ['role', 'title', 'scopes'],
    runLocally: async () =>
      ROLES.map((role) => ({
        role,
        title: titleOf(role),
        sentence: sentenceOf(role),
        scopes: delegableBy(role),
        throughOauth: delegableThroughOauth(role),
      })),
  }),
];
