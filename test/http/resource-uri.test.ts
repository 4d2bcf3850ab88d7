import { describe, expect, it } from '@jest/globals';

import { canonicalResource, findResource } from '../../src/http/resource-uri.js';

describe('the canonical form of a resource', () => {
  it.each([
    ['https://auth.example.com', 'https://auth.example.com'],
    ['https://auth.example.com/', 'https://auth.example.com'],
    ['HTTPS://Auth.Example.com:443/', 'https://auth.example.com'],
    ['https://auth.example.com:/', 'https://auth.example.com'],
    ['http://auth.example.com:80/x', 'http://auth.example.com/x'],
    ['http://auth.example.com:443', 'http://auth.example.com:443'],
    ['https://auth.example.com:8443/', 'https://auth.example.com:8443'],
    ['https://auth.example.com:0443', 'https://auth.example.com:0443'],
    ['https://auth.example.com?x=/', 'https://auth.example.com'],
    ['https://auth.example.com/Api/V1/?x#'.slice(0, -1), 'https://auth.example.com/Api/V1'],
    ['https://auth.example.com//', 'https://auth.example.com/'],
    ['https://auth.example.com/a/../b', 'https://auth.example.com/a/../b'],
    ['https://auth.example.com/%41', 'https://auth.example.com/%41'],
    ['http://[2001:DB8::1]:80/x/', 'http://[2001:db8::1]/x'],
    ['URN:Example:API', 'urn:Example:API'],
  ])('of %s is %s', (text, canonical) => expect(canonicalResource(text)).toBe(canonical));

  it.each([
    '',
    'x',
    '/api/v1',
    '//auth.example.com',
    'https://',
    'https:',
    'https:///x',
    'https://:443',

    'https://a.example#x',
    'https://a.example#',
    'https://me@a.example',
    'https://a.example\\x',

    'https://a.example/ x',
    ' https://a.example',
    'https://a.example\n',
    'https://ä.example',
    '\0',
    `https://a.example/${'x'.repeat(2048)}`,
  ])('does not exist for %j', (text) => {
    expect(canonicalResource(text)).toBeUndefined();
    expect(findResource([text], text)).toBeUndefined();
  });

  it('finds a resource as it is registered', () => {
    const resources = ['https://API.example.com/v1/', 'https://auth.example.com'];
    expect(findResource(resources, 'https://api.example.com/v1?x')).toBe(resources[0]);
    expect(findResource(resources, 'https://auth.example.com:443/')).toBe(resources[1]);
    expect(findResource(resources, 'https://auth.example.com/v1')).toBeUndefined();
  });
});
