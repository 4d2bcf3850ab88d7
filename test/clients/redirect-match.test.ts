import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { isRegisteredRedirect, withoutLoopbackPort } from '../../src/clients/redirect-uri.js';

describe('isRegisteredRedirect', () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const loopback = fc.constantFrom('127.0.0.1', '[::1]', 'localhost');
  const rest = fc.constantFrom('', '/', '/cb', '/cb/', '/cb?x=1', '/CB', '/c%62', '?x=1');

  it('ignores the port on loopback, and nothing else', () => {
    const part = fc.tuple(loopback, fc.option(port, { nil: undefined }), rest);
    fc.assert(
      fc.property(part, part, ([host, ownPort, path], [otherHost, otherPort, otherPath]) => {
        const write = (name: string, number: number | undefined, tail: string) =>
          `http://${name}${number === undefined ? '' : `:${number}`}${tail}`;
        const registered = write(host, ownPort, path);
        expect(isRegisteredRedirect(registered, write(host, otherPort, path))).toBe(true);
        const isSame = host === otherHost && path === otherPath;
        const presented = write(otherHost, otherPort, otherPath);
        expect(isRegisteredRedirect(registered, presented)).toBe(isSame);
        expect(withoutLoopbackPort(registered)).toBe(write(host, undefined, path));
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['https://example.com/cb', 'https://example.com:8443/cb'],
    ['https://example.com/cb', 'https://example.com:443/cb'],
    ['https://example.com/cb', 'https://example.com/cb/'],
    ['https://example.com/cb', 'https://example.com/cb?x'],
    ['https://example.com/cb', 'https://example.com/cb/../cb'],
    ['https://example.com/cb', 'https://EXAMPLE.com/cb'],
    ['https://example.com/cb', 'https://example.com/c%62'],
    ['https://example.com/cb', 'https://evil.example/cb'],
    ['https://example.com/cb', 'http://example.com/cb'],
    ['http://localhost:1/cb', 'http://127.0.0.1:1/cb'],
    ['http://localhost:1/cb', 'http://localhost:1@evil.example/cb'],
    ['http://localhost:1/cb', 'http://localhost:1.evil.example/cb'],
    ['http://localhost/cb', 'http://localhost:99999/cb'],
    ['http://localhost/cb', 'http://localhost:/cb#x'],
    ['http://localhost/cb', 'https://localhost/cb'],
    ['http://localhost/cb', 'http://localhost:80\\@evil.example/cb'],
    ['cursor://x/cb', 'cursor://x:1/cb'],
  ])('distinguishes %s from %s', (registered, presented) => {
    expect(isRegisteredRedirect(registered, presented)).toBe(false);
  });
});

describe('withoutLoopbackPort', () => {
  it.each([
    ['https://localhost:1/cb'],
    ['http://localhost:1.evil.example/cb'],
    ['http://localhost:80@evil.example/cb'],
    ['http://localhost.evil.example:80/cb'],
    ['http://evil.example/?http://localhost:80/cb'],
    ['http://127.0.0.2:80/cb'],
    ['my-app://localhost:80/cb'],
  ])('does not change %s', (uri) => {
    expect(withoutLoopbackPort(uri)).toBe(uri);
  });
});
