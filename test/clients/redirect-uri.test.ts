import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BlockList } from 'node:net';

import {
  isAuthenticatedRedirect,
  isRegisteredRedirect,
  redirectUriFault,
  withoutLoopbackPort,
} from '../../src/clients/redirect-uri.js';

const REAL = [
  'https://claude.ai/api/mcp/auth_callback',
  'https://www.cursor.com/agents/mcp/oauth/callback',
  'https://vscode.dev/redirect',
  'https://chatgpt.com/connector_platform_oauth_redirect',
  'https://app.example.com:8443/cb?tenant=1&x=%20',
  'https://xn--bcher-kva.example/cb',
  'https://8.8.8.8/cb',
  'https://[2606:4700::1111]/cb',
  'https://example.com./cb',
  'https://localhost.example.com/cb',
  'https://internal.example.com/cb',
  'http://127.0.0.1:33418/',
  'http://127.0.0.1:33418',
  'http://127.0.0.1/cb?x=1',
  'http://[::1]:6274/oauth/callback',
  'http://localhost:8787/callback',
  'cursor://anysphere.cursor-mcp/oauth/callback',
  'vscode://vscode.github-authentication/did-authenticate',
  'com.example.app:/cb',
  'com.example.app://cb',
  'com.googleusercontent.apps.123-abc:/oauth2redirect',
  'claude://mcp-auth-callback/desktop',
];

const HOSTILE = {
  'a scheme that runs, shows or fetches': [
    ...[
      'javascript:alert(1)',
      'JavaScript://%0aalert(1)',
      'javascript:/*/alert(1)',
      'jAvAsCrIpT:/x',
    ],
    ...['data:text/html,<script>', 'data:text/html;base64,PHN2Zz4=', 'data:/x', 'vbscript:/x'],
    ...['livescript:/x', 'jscript:/x', 'mocha:/x', 'file:///etc/passwd', 'file://localhost/etc'],
    ...[
      'blob:https://example.com/1',
      'blob:/x',
      'about:blank',
      'about:/srcdoc',
      'ws://example.com/',
    ],
    ...['wss://example.com/', 'ftp://example.com/', 'sftp://example.com/', 'gopher://example.com/'],
    ...[
      'view-source:https://example.com/',
      'view-source:/x',
      'jar:/x',
      'jar:https://example.com/!/',
    ],
    ...[
      'filesystem:https://example.com/x',
      'filesystem:/x',
      'feed://example.com/',
      'resource://gre/',
    ],
    ...['chrome://settings/', 'chrome-extension://abc/x', 'moz-extension://abc/x', 'edge://flags/'],
    ...['about+x://y', 'http+unix://x/y', 'git+ssh://x/y', 'web+x://y', 'devtools://devtools/x'],
    ...[
      'safari-web-extension://x/y',
      'ldap://example.com/',
      'smb://example.com/x',
      'ssh://example.com/',
    ],
  ],
  'a scheme that wakes something which acts by itself': [
    ...[
      'intent://x#Intent;end',
      'intent://x/',
      'android-app://com.example/',
      'market://details?id=x',
    ],
    ...[
      'ms-word:ofe|u|https://example.com/',
      'ms-word:/x',
      'ms-settings:/x',
      'ms-msdt:/id',
      'search-ms:/x',
    ],
    ...[
      'microsoft-edge:/x',
      'mailto:a@example.com',
      'mailto://x/',
      'tel:123',
      'tel://123',
      'sms:/123',
    ],
    ...[
      'itms-services://?action=download-manifest',
      'shortcuts://run-shortcut',
      'facetime://x',
      'sip://x',
    ],
    ...[
      'magnet:/?xt=urn',
      'steam://run/1',
      'telnet://example.com/',
      'hcp://system/',
      'shell:/x',
      'c:/x',
    ],
  ],
  'no slash after a private-use scheme': [
    ...['urn:ietf:wg:oauth:2.0:oob', 'com.example.app:cb', 'x:y', 'foo:javascript:alert(1)'],
  ],
  'a host that is not public': [
    ...['https://127.0.0.1/cb', 'https://127.1.2.3/', 'https://10.0.0.1/', 'https://172.16.0.1/'],
    ...['https://192.168.1.1/', 'https://169.254.169.254/latest/meta-data', 'https://100.64.0.1/'],
    ...['https://0.0.0.0/', 'https://255.255.255.255/', 'https://224.0.0.1/', 'https://192.0.2.1/'],
    ...[
      'https://198.18.0.1/',
      'https://240.0.0.1/',
      'https://[::1]/',
      'https://[::]/',
      'https://[fe80::1]/',
    ],
    ...[
      'https://[fc00::1]/',
      'https://[fd12::1]/',
      'https://[::ffff:127.0.0.1]/',
      'https://[::ffff:7f00:1]/',
    ],
    ...[
      'https://[::ffff:808:808]/',
      'https://[::7f00:1]/',
      'https://[::127.0.0.1]/',
      'https://[64:ff9b::7f00:1]/',
    ],
    ...[
      'https://[2002:7f00:1::]/',
      'https://[2001::1]/',
      'https://[fec0::1]/',
      'https://[ff02::1]/',
    ],
    ...[
      'https://[2001:db8::1]/',
      'https://[100::1]/',
      'https://localhost/cb',
      'https://LOCALHOST/cb',
    ],
    ...[
      'https://localhost./cb',
      'https://app.localhost/',
      'https://printer.local/',
      'https://api.internal/',
    ],
    ...[
      'https://metadata.google.internal/',
      'https://metadata.google.internal./',
      'https://intranet/',
    ],
    ...[
      'https://nas.lan/',
      'https://router.home.arpa/',
      'https://db.corp/',
      'https://com/',
      'https://a..b/',
    ],
  ],
  'a host that is spelled otherwise than it is read': [
    ...[
      'https://2130706433/',
      'https://0x7f000001/',
      'https://0x7f.1/',
      'https://0177.0.0.1/',
      'https://127.1/',
    ],
    ...[
      'https://%6cocalhost/',
      'https://ex%61mple.com/',
      'https://127.0.0.1./',
      'https://[0:0:0:0:0:0:0:1]/',
    ],
    ...[
      'https:example.com/',
      'https:/example.com/',
      'https:///example.com/',
      'https://',
      'https://:443/',
    ],
    ...[
      'http:127.0.0.1/',
      'http:/127.0.0.1/',
      'http://127.1/',
      'http://2130706433/',
      'http://0x7f.1/',
    ],
  ],
  'http beyond loopback': [
    ...[
      'http://example.com/cb',
      'http://192.168.1.1/',
      'http://127.0.0.2/',
      'http://[::ffff:127.0.0.1]/',
    ],
    ...['http://localhost.example.com/', 'http://127.0.0.1.example.com/', 'http://localhost./cb'],
    ...['http://app.localhost/cb', 'http://0.0.0.0:3000/', 'http://[::]/', 'HTTP://example.com/'],
  ],
  'a fragment': [
    ...[
      'https://example.com/cb#',
      'https://example.com/cb#x',
      'http://localhost/#',
      'cursor://x/#y',
    ],
  ],
  'embedded credentials': [
    ...['https://user:pass@example.com/', 'https://user@example.com/', 'https://@example.com/'],
    ...[
      'https://:@example.com/',
      'https://claude.ai@evil.example/',
      'http://localhost:80@evil.example/',
    ],
    ...['http://u@127.0.0.1/', 'cursor://claude.ai@x/y'],
  ],
  'characters that no URI has': [
    ...[
      'https://example.com/a b',
      ' https://example.com/',
      'https://example.com/\n',
      '\thttps://example.com/',
    ],
    ...['https://example.com\\@evil.example/', 'https:\\\\example.com\\', 'https://exam\tple.com/'],
    ...[
      'java\nscript:/x',
      'https://example.com/\0',
      'https://example.com/\u202e',
      'https://bücher.example/',
    ],
    ...[
      'https://１２７.0.0.1/',
      'https://example。com/',
      'https://example.com/<script>',
      'https://example.com/"x',
    ],
    ...['https://example.com/\u007f', 'https://example.com/\ud800', 'https://ex\u00adample.com/'],
  ],
  'no absolute URI': [
    ...['', '/', '//example.com/cb', 'example.com/cb', 'https', ':', '://x', '1x://y', '?x', '*'],
    ...[
      'https://*.example.com:99999/',
      'http://127.0.0.1:65536/',
      'https://[::1/',
      'https://[fe80::1%25eth0]/',
    ],
  ],
  'no end': [`https://example.com/${'x'.repeat(2000)}`],
} as const;

describe('a redirect URI', () => {
  it.each(REAL)('of a real kind can be registered: %s', (uri) => {
    expect(redirectUriFault(uri)).toBeUndefined();
    expect(isRegisteredRedirect(uri, uri)).toBe(true);
  });

  describe.each(Object.entries(HOSTILE))('with %s', (_what, uris) => {
    it.each(uris)('cannot be registered: %j', (uri) => {
      expect(redirectUriFault(uri)).toEqual(expect.any(String));
    });
  });

  it('is judged alike in whatever case its scheme is written', () => {
    const any = fc.constantFrom(...REAL, ...Object.values(HOSTILE).flat());
    fc.assert(
      fc.property(any, fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), (uri, upper) => {
        const end = uri.indexOf(':');
        const scheme = Array.from(uri.slice(0, end), (c, at) => (upper[at] ? c.toUpperCase() : c));
        const other = scheme.join('') + uri.slice(end);
        expect(redirectUriFault(other)).toEqual(redirectUriFault(uri));
      }),
    );
  });

  it('never throws, and is never told in the fault', () => {
    const any = fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl({ withFragments: true }));
    fc.assert(
      fc.property(any, (uri) => {
        const fault = redirectUriFault(uri);
        fc.pre(fault !== undefined && uri.length > 8);
        expect(fault).not.toContain(uri);
        expect(fault).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
      }),
      { numRuns: 500 },
    );
  });

  it('leads to the host that it shows, also to who reads it as a browser does', () => {
    const hosts = fc.oneof(
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6().map((address) => `[${address}]`),
      fc.domain(),
    );
    const privateOnes = new BlockList();
    for (const [network, bits] of [
      ...([
        ['10.0.0.0', 8],
        ['127.0.0.0', 8],
        ['169.254.0.0', 16],
      ] as const),
      ...([
        ['172.16.0.0', 12],
        ['192.168.0.0', 16],
        ['100.64.0.0', 10],
        ['0.0.0.0', 8],
      ] as const),
    ]) {
      privateOnes.addSubnet(network, bits, 'ipv4');
    }
    fc.assert(
      fc.property(hosts, fc.nat(65_535), (host, port) => {
        const uri = `https://${host}:${port}/cb`;
        fc.pre(redirectUriFault(uri) === undefined);
        const { hostname } = new URL(uri);
        expect(hostname).toBe(host.toLowerCase());
        expect(privateOnes.check(hostname, 'ipv4')).toBe(false);
        if (hostname.startsWith('[')) expect(hostname).toMatch(/^\[[23]/);
      }),
      { numRuns: 2000 },
    );
  });
});

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
  ])('tells %s from %s', (registered, presented) => {
    expect(isRegisteredRedirect(registered, presented)).toBe(false);
  });
});

describe('isAuthenticatedRedirect', () => {
  it('holds for https only: anybody on the device can receive the others', () => {
    expect(REAL.filter(isAuthenticatedRedirect)).toEqual(
      REAL.filter((uri) => uri.startsWith('https://')),
    );
    expect(isAuthenticatedRedirect('httpsx://x/')).toBe(false);
  });
});
