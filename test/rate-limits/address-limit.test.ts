import { describe, expect, it } from '@jest/globals';

import { createAddressLimit } from '../../src/rate-limits/address-limit.js';

describe('a limit by address', () => {
  const setUp = (options?: { maxCounts: number }) => {
    let time = 1_800_000_000_000;
    const limit = createAddressLimit(() => time, options);
    const take = (address: string, perMinute = 3, purpose = 'x') =>
      limit.take(purpose, address, perMinute);
    const fill = (address: string) => {
      for (let taken = 0; taken < 3; taken += 1) take(address);
      return take(address).isAllowed;
    };
    return { take, fill, pass: (seconds: number) => void (time += seconds * 1000) };
  };

  it('refuses what is more within a minute, and says for how long', () => {
    const { take, fill, pass } = setUp();
    expect(fill('192.0.2.1')).toBe(false);
    expect(take('192.0.2.1')).toEqual({ isAllowed: false, retryAfterSeconds: 60 });
    expect(take('192.0.2.2')).toEqual({ isAllowed: true });
    expect(take('192.0.2.1', 3, 'y')).toEqual({ isAllowed: true });
    pass(30);
    expect(take('192.0.2.1')).toEqual({ isAllowed: false, retryAfterSeconds: 30 });
    pass(30);
    expect(take('192.0.2.1')).toEqual({ isAllowed: true });
  });

  it('takes a /64 for one address, and lets a /48 have ten times as much', () => {
    const { take, fill } = setUp();
    expect(fill('2001:db8:1:1::1')).toBe(false);
    expect(take('2001:db8:1:1:ffff::2').isAllowed).toBe(false);
    expect(take('2001:db8:2:1::1').isAllowed).toBe(true);
    for (let network = 2; network <= 10; network += 1) fill(`2001:db8:1:${network}::1`);
    expect(take('2001:db8:1:11::1').isAllowed).toBe(false);
    expect(take('2001:db8:3:11::1').isAllowed).toBe(true);
  });

  it('does not exist for 0', () => {
    const { take } = setUp();
    for (let taken = 0; taken < 100; taken += 1) expect(take('192.0.2.1', 0).isAllowed).toBe(true);
  });

  it('keeps a bounded number of counts, and forgets what was not used for longest', () => {
    const { take, fill } = setUp({ maxCounts: 2 });
    fill('192.0.2.1');
    take('192.0.2.2');
    expect(take('192.0.2.1').isAllowed).toBe(false);
    take('192.0.2.3');
    expect(take('192.0.2.1').isAllowed).toBe(false);
    take('192.0.2.4');
    take('192.0.2.5');
    expect(take('192.0.2.1').isAllowed).toBe(true);
  });
});
