import { describe, expect, it } from '@jest/globals';

import { parseUrl } from '../../src/http/url.js';

describe('parseUrl', () => {
  it('reads non-ASCII addresses, also after optimization of the function', () => {
    const misread = Array.from({ length: 100_000 }, () =>
      parseUrl('https://bücher.example/'),
    ).filter((url) => url?.host !== 'xn--bcher-kva.example');

    expect(misread).toEqual([]);
  });

  it.each(['', 'nonsense', '//host', 'http://[', 'http://a b/'])('is not parsed: %j', (text) => {
    expect(parseUrl(text)).toBeUndefined();
  });
});
