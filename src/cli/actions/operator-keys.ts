import { OPERATOR } from '../../audit/index.js';
import { parseWith } from '../../http/validation.js';
import {
  createOperatorKeyService,
  newOperatorKey,
  type OperatorKey,
  operatorKeyRotation,
} from '../../operator-keys/index.js';
import type { CommandContext } from '../command.js';
import { pageOf, type OpenList } from '../listing.js';
import { parseOption } from '../parse-option.js';

export async function createOperatorKey(
  context: CommandContext,
  values: {
    readonly name: string;
    readonly scopes: string;
    readonly allowIp: readonly string[];
    readonly expiresIn: number | undefined;
  },
) {
  const { name, scopes, allowIp, expiresIn } = values;
  const fields = parseWith(newOperatorKey, {
    name,
    scopes: scopes.split(/[\s,]+/).filter(Boolean),
    allowedIps: allowIp.length === 0 ? null : allowIp,
    expiresInSeconds: expiresIn ?? null,
  });
  const { key, secret } = await createOperatorKeyService(context).create(OPERATOR, fields);
  return { ...present(key), key: secret };
}

export async function listOperatorKeys(
  context: CommandContext,
): Promise<OpenList<OperatorKey, string>> {
  const service = createOperatorKeyService(context);
  return {
    async read({ limit, after }) {
      const found = await service.list({ limit: limit + 1, after });
      return pageOf(found, limit, ({ id }) => id);
    },
    present,
  };
}

export async function rotateOperatorKey(
  context: CommandContext,
  { id, grace }: { readonly id: string; readonly grace: number | undefined },
) {
  const seconds = parseOption('grace', operatorKeyRotation.shape.graceSeconds, grace ?? 0);
  const { key, secret } = await createOperatorKeyService(context).rotate(OPERATOR, id, seconds);
  return { ...present(key), key: secret };
}

export async function revokeOperatorKey(
  context: CommandContext,
  { id, reason }: { readonly id: string; readonly reason: string | undefined },
) {
  return present(await createOperatorKeyService(context).revoke(OPERATOR, id, reason ?? null));
}

function present({ masked, ...key }: OperatorKey) {
  return { ...key, maskedKey: masked };
}
