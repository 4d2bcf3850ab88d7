import { factsOf } from '../../credentials/kinds.js';
import type { StoredCredential } from '../../credentials/index.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext } from '../settings-gate.js';
import type { KeyDesk } from './key-desk.js';
import type { KeySection } from './key-section.js';
import type { KeySecretPage } from './key-views.js';

interface Dependencies {
  readonly desk: Pick<KeyDesk, 'takeSecret'>;
  readonly issuer: string;
  /** `BRAND_NAME`, from which the name of the variable is made. */
  readonly brandName: string;
}

/** Makes the page that shows a new secret. It does so once: a second request finds none. */
export async function showSecret(
  { desk, issuer, brandName }: Dependencies,
  section: KeySection,
  at: OrganizationContext,
  key: StoredCredential,
  ctx: Pick<SettingsContext, 'method' | 'querystring'>,
): Promise<KeySecretPage & { readonly title: string }> {
  const handle = new URLSearchParams(ctx.querystring).get('handle') ?? '';
  // HEAD is answered by the same route, and shows nothing.
  const secret = ctx.method === 'HEAD' ? undefined : await desk.takeSecret(at, handle, key.id);
  const brand = brandName.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_') || 'API';
  const variable = `${brand}_${section.noun === 'token' ? 'TOKEN' : 'API_KEY'}`;
  return {
    title: secret === undefined ? 'Already shown' : `Copy the ${section.noun} ${key.name}`,
    noun: section.noun,
    name: key.name,
    secret,
    maskedKey: key.maskedKey,
    variable,
    curl: `curl ${issuer}/api/v1/me -H "Authorization: Bearer $${variable}"`,
    isReadable: factsOf(key.kind).isReadable,
    back: at.href(section.path, { done: 'made', fresh: key.id }),
    key: at.href(`${section.path}/${key.id}`),
  };
}
