import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';

import { passwordFault } from '../../src/accounts/password-policy.js';

const COMMON = 'must not be a common password, which attackers try first';

describe('a new password', () => {
  it.each([
    'password1234',
    'Password1234',
    'PASSWORD1234',
    'iloveyou',
    'trustno1',
    'qwertyuiop',
    'sunshine',
    'football',
    'P@ssw0rd',
    'administrator',
    'changeme',
    'baseball1',
    '12345678',
    // Patterns, which lists leave out.
    'aaaaaaaa',
    '0000000000000000',
    '12341234',
    '1234512345',
    'abcabcabcabc',
    'abcdefgh',
    '9876543210',
    '23456789',
    'poiuytrewq',
    'lkjhgfds',
    '1234567890-',
    '31121999',
    '19991231',
    // The same letters in another form.
    'ｐａｓｓｗｏｒｄ１２３４',
    'ＩLOVEYOU',
    // With something that is not seen.
    'password1234 ',
    ' 	password1234',
    'pass​word1234',
    '﻿password1234',
    ' '.repeat(8),
    'pass­word⁠1234',
    'pass󠁁word1234',
  ])('is refused if it is common: %s', (password) => {
    expect(passwordFault(password)).toBe(COMMON);
  });

  it.each(['correct horse', 'another password', 'J7#kq2!x', 'пароль для дома', '😀😁😂🤣😃😄😅😆'])(
    'is accepted with eight characters: %s',
    (password) => {
      expect(passwordFault(password)).toBeUndefined();
    },
  );

  it.each(['', 'short', 'hunter2', '😀😁😂🤣', 'e\u0301'.repeat(7)])(
    'is refused with fewer than eight code points: %s',
    (password) => {
      expect(passwordFault(password)).toBe('must have at least 8 characters');
    },
  );

  it('is refused above the maximum, before it is normalised', () => {
    const tooLong = 'must have at most 200 characters';
    expect(passwordFault(randomBytes(100).toString('hex'))).toBeUndefined();
    expect(passwordFault('x'.repeat(201))).toBe(tooLong);
    const startedAt = performance.now();
    expect(passwordFault(`a${'\u0301\u0334'.repeat(1_000_000)}`)).toBe(tooLong);
    expect(performance.now() - startedAt).toBeLessThan(50);
  });
});
