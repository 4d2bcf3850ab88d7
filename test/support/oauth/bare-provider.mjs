// oidc-provider without anything around it, in a process of its own. Arguments: client id, client secret, redirect URI.
// Every user name signs in with any password. Writes its issuer to standard output.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [, , client_id, client_secret, redirect_uri] = process.argv;
const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const claimsOf = (name) => ({
  sub: name,
  email: name.includes('@') ? name : `${name}@acme.test`,
  email_verified: !name.startsWith('unverified'),
  name: 'Pat Person',
  groups: [name.startsWith('boss') ? 'bosses' : 'staff'],
});
const provider = new Provider(issuer, {
  clients: [{ client_id, client_secret, redirect_uris: [redirect_uri] }],
  claims: { email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  cookies: { keys: ['a key of the test'] },
  features: { devInteractions: { enabled: true } },
  findAccount: (_ctx, name) => ({ accountId: name, claims: () => claimsOf(name) }),
});
server.on('request', provider.callback());
process.stdout.write(`${issuer}\n`);
