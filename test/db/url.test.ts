import { describe, expect, it } from '@jest/globals';

import { parseDatabaseUrl } from '../../src/db/url.js';

/** Hosts with their ports, as they are tried. */
function hostsOf(url: string): string[] {
  return parseDatabaseUrl(url).hosts.map(
    ({ host = 'default', port = 'default' }) => `${host} ${port}`,
  );
}

describe('parseDatabaseUrl', () => {
  it.each([
    ['postgres://u@h/d', ['h default']],
    ['postgresql://u:p@h:5433/d', ['h 5433']],
    ['postgres://u@h1,h2:5433/d?target_session_attrs=read-write', ['h1 default', 'h2 5433']],
    ['postgres://u@h1:1,h2:2,h3:3/d', ['h1 1', 'h2 2', 'h3 3']],
    ['postgres://u@[::1]:5433,[2001:db8::1]/d', ['::1 5433', '2001:db8::1 default']],
    ['postgres://u@/d?host=h1,h2&port=1,2', ['h1 1', 'h2 2']],
    ['postgres://u@/d?host=h1,h2&port=6432', ['h1 6432', 'h2 6432']],
    ['postgres://u@/d?host=/run/a,/run/b', ['/run/a default', '/run/b default']],
    ['postgres://u@%2Frun%2Fpostgresql/d', ['/run/postgresql default']],
    ['postgres:///d', ['default default']],
    ['postgres://', ['default default']],
  ])('reads the hosts of %s', (url, hosts) => {
    expect(hostsOf(url)).toEqual(hosts);
  });

  it.each([
    ['postgres://u:p@h/d', ['u', 'p', 'd']],
    ['postgres://u%40x:p%3A%2F@h/d%20e', ['u@x', 'p:/', 'd e']],
    ['postgres://u:a@b@h/d', ['u', 'a@b', 'd']],
    ['postgres://u:100%@h/d', ['u', '100%', 'd']],
    ['postgres://h/d?user=u&password=p%26q&dbname=e', ['u', 'p&q', 'e']],
    ['postgres://h', [undefined, undefined, undefined]],
  ])('reads user, password and database of %s', (url, [user, password, database]) => {
    expect(parseDatabaseUrl(url)).toMatchObject({ user, password, database });
  });

  it('names no secret in an error', () => {
    for (const url of ['postgres://u:hunter2@h:x/d', 'postgres://u:hunter2@h/d?sslmode=hunter2']) {
      expect(() => parseDatabaseUrl(url)).toThrow(/^(?!.*hunter2)/s);
    }
  });
});
