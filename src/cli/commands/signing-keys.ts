import { SIGNING_ALGORITHMS } from '../../credentials/secrets/signing-algorithms.js';
import { defineCommand, type Command } from '../command.js';
import { oneOf } from '../value-types.js';

const actions = () => import('../actions/signing-keys.js');

export const SIGNING_KEY_COMMANDS: readonly Command[] = [
  defineCommand({
    name: 'signing-keys list',
    summary: 'Lists the published keys for id_tokens: which one signs, and until when others stay.',
    examples: ['cli signing-keys list'],
    run: async (context) => (await actions()).listSigningKeys(context),
  }),
  defineCommand({
    name: 'signing-keys rotate',
    summary: 'Creates new keys for id_tokens, one for each algorithm unless one is named.',
    details:
      'New keys are published now and sign in an hour. The old ones stay published until their last token has expired.',
    options: {
      algorithm: {
        value: 'ALGORITHM',
        type: oneOf(SIGNING_ALGORITHMS),
        summary: 'only the key of this algorithm',
      },
    },
    examples: ['cli signing-keys rotate', 'cli signing-keys rotate --algorithm ES256'],
    run: async (context, values) => (await actions()).rotateSigningKeys(context, values),
  }),
];
