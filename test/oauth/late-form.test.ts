import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from '@jest/globals';

import { createUser, registerClient, REDIRECT } from '../support/oauth/oauth.js';
import {
  createInstaller,
  redeem,
  statusOf,
  type Installer,
} from '../support/oauth/token-families.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/**
 * A request competes with what comes while it waits for us. How long it takes to say what it wants is its own
 * affair: else the finder of a used code could try it unnoticed, by sending it slowly.
 */
describe('a code whose form arrives late', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let installer: Installer;
  beforeAll(async () => {
    const user = await createUser(gatehouse, [
      [await gatehouse.createTenant('acme'), 'company_admin'],
    ]);
    installer = createInstaller(gatehouse, { client: await registerClient(gatehouse), user });
  });

  /** Sends the head only, and waits until the server asks for the rest. */
  async function open(form: URLSearchParams): Promise<ClientRequest> {
    const sent = request(`${gatehouse.origin}/api/v1/oauth/token`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        'Content-Length': form.toString().length,
        Expect: '100-continue',
      },
    });
    sent.flushHeaders();
    await once(sent, 'continue');
    return sent;
  }

  async function finish(sent: ClientRequest, form: URLSearchParams): Promise<string> {
    sent.end(form.toString());
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return text(answer);
  }

  it('is reuse if the code was used before the form was complete', async () => {
    const { client } = installer;
    const issued = await installer.authorize();
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      code: issued.code,
      client_id: client.client_id,
      code_verifier: issued.verifier,
      redirect_uri: REDIRECT,
    });
    const late = await open(form);
    const first = await redeem(gatehouse, client, issued);
    expect(first.status).toBe(200);

    expect(await finish(late, form)).toContain('invalid_grant');
    expect(await statusOf(gatehouse, first.tokens.access_token)).toBe(401);
  });
});
