import { describe, expect, it } from '@jest/globals';

import { parseMailbox, parseMailServer } from '../../src/mail/settings.js';

describe('SMTP_URL', () => {
  it.each([
    ['smtps://u:p%40ss@mail.example.com', { port: 465, secure: true, requireTLS: false }],
    ['smtp://mail.example.com', { port: 587, secure: false, requireTLS: true }],
    ['smtp://mail.example.com:25?starttls=optional', { port: 25, requireTLS: false }],
    ['smtp://LOCALHOST:1025', { port: 1025, requireTLS: false, ignoreTLS: true }],
    ['smtp://[::1]:25', { host: '::1', ignoreTLS: true }],
  ])('is read: %s', (url, expected) => {
    expect(parseMailServer(url)).toMatchObject(expected);
  });

  it('keeps the name and the password as they are', () => {
    expect(parseMailServer('smtps://u%3Ax:p%40ss@mail.example.com').auth).toEqual({
      user: 'u:x',
      pass: 'p@ss',
    });
  });

  it.each([
    'mail.example.com',
    'http://mail.example.com',
    'smtp://',
    'smtp://mail.example.com/path',
    'smtp://mail.example.com?tls.rejectUnauthorized=false',
    'smtp://mail.example.com?starttls=never',
  ])('is refused: %s', (url) => {
    expect(() => parseMailServer(url)).toThrow(/^m(?:ust|ay)/);
  });
});

describe('MAIL_FROM', () => {
  it.each([
    ['a@example.com', { name: '', address: 'a@example.com' }],
    ['Gate House <A@example.com>', { name: 'Gate House', address: 'a@example.com' }],
    ['<a@example.com>', { name: '', address: 'a@example.com' }],
  ])('is read: %s', (text, expected) => {
    expect(parseMailbox(text)).toEqual(expected);
  });

  it.each(['', 'Gate', 'a@example.com, b@example.com', 'A\nBcc: b@example.com <a@example.com>'])(
    'is refused: %j',
    (text) => {
      expect(parseMailbox(text)).toBeUndefined();
    },
  );
});
