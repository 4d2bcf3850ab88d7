import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import {
  ELLIPSIS_MARK,
  isNumber,
  NULL_MARK,
  VALUE_MARK,
  type Column,
} from '../../src/db/packed-rows.js';
import { createRowWriter } from '../../src/db/written-rows.js';

const COLUMNS: readonly Column[] = [
  { member: 'id', name: 'id', type: 'id' },
  { member: 'firstName', name: 'first_name', type: 'text' },
  { member: 'price', name: 'price', type: 'integer' },
  { member: 'createdAt', name: 'created_at', type: 'time' },
  { member: 'tags', name: 'tags', type: 'list' },
  { member: 'facts', name: 'facts', type: 'object' },
  { member: 'note', name: 'note', type: 'text' },
];
const writer = createRowWriter(COLUMNS);

type Row = Readonly<Record<string, string | null>>;

/** A page as PostgreSQL sends it. */
function packed(rows: readonly Row[]) {
  if (rows.length === 0) return { texts: null, numbers: null };
  const markedText = (value: string | null | undefined) =>
    value === null || value === undefined ? '\u001E' : `\u001F${value}`;
  const values = (isWanted: (column: Column) => boolean) =>
    rows.flatMap((row) =>
      COLUMNS.filter(isWanted).map(({ member, type }) => ({ value: row[member] ?? null, type })),
    );
  const numbers = Buffer.alloc(values(isNumber).length * 8);
  for (const [index, { value, type }] of values(isNumber).entries()) {
    numbers.writeBigInt64BE(numberOf(value, type), index * 8);
  }
  const texts = values((column) => !isNumber(column)).map(({ value }) => markedText(value));
  return { texts: texts.join(''), numbers };
}

function numberOf(value: string | null, type: Column['type']): bigint {
  if (value === null) return -(2n ** 63n) + 1n;
  return type === 'time' ? microsOf(value) : BigInt(value);
}

/** Microseconds since 2000. */
function microsOf(time: string): bigint {
  if (time === 'infinity') return 2n ** 63n - 1n;
  if (time === '-infinity') return -(2n ** 63n);
  if (time.endsWith(' BC'))
    return microsOf(`-0000${Number(time.slice(0, 4)) - 1}${time.slice(4, -3)}`);
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? '';
  const seconds = Date.parse(
    time
      .replace(/\.\d+/, '')
      .replace(' ', 'T')
      .replace(/([+-]\d\d)$/, '$1:00'),
  );
  return BigInt(seconds - Date.UTC(2000, 0, 1)) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

/** Any text that PostgreSQL stores. */
const TEXT = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.constantFrom('"', '\\', '\u007f', '\u2028', '\u001F', 'a\u001E'),
  )
  .map((text) => text.replaceAll('\0', '').toWellFormed());
const TIME = fc
  .tuple(
    fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
    fc.constantFrom('', '.1', '.12', '.123', '.0001', '.12345', '.999999'),
  )
  .map(([date, fraction]) => `${date.toISOString().slice(0, 19).replace('T', ' ')}${fraction}+00`);
/** V8 of Node 24 reads the member `"` of an object as `\`, once it has read an object with the members before it and `\`. */
const NAME = TEXT.filter((name) => !name.includes('\\'));
const ROW: fc.Arbitrary<Row> = fc.record({
  id: fc.oneof(fc.maxSafeNat(), fc.nat(), fc.nat(1000)).map(String),
  firstName: fc.option(TEXT),
  price: fc.option(fc.integer().map(String)),
  createdAt: fc.oneof(
    TIME,
    fc.constantFrom('infinity', '-infinity', '0044-03-15 12:00:00.5+00 BC'),
  ),
  tags: fc.option(fc.array(TEXT, { maxLength: 3 }).map((tags) => JSON.stringify(tags))),
  facts: fc.option(fc.dictionary(NAME, TEXT, { maxKeys: 3 }).map((facts) => JSON.stringify(facts))),
  note: fc.option(TEXT),
});

describe('rows that are written as JSON', () => {
  it('equal those of JSON.stringify, whatever their texts hold', () => {
    fc.assert(
      fc.property(fc.array(ROW, { maxLength: 30 }), (rows) => {
        const texts = rows.map((row) => `${row['firstName']}${row['note']}`).join('');
        const hasMark = texts.includes('\u001E') || texts.includes('\u001F');
        const expected = rows.map((row) => writer.writeRow(row));
        expect(writer.writePage(packed(rows))).toEqual(hasMark ? undefined : expected);
        for (const [index, { id, json }] of expected.entries()) {
          const { firstName, note, price, tags, facts } = rows[index] ?? {};
          expect(json).toContain(`"tags":${tags ?? 'null'},"facts":${facts ?? '{}'},"note":`);
          expect(JSON.parse(json)).toMatchObject({ id, firstName, note });
          expect(JSON.parse(json)).toHaveProperty('price', price == null ? null : Number(price));
        }
      }),
    );
  });

  it('hold the ellipsis of masked texts, between whatever other characters', () => {
    const masks = createRowWriter([
      { member: 'id', name: 'id', type: 'id' },
      { member: 'mask', name: 'mask', type: 'masked' },
      { member: 'next', name: 'next', type: 'masked' },
    ]);
    const page = (rows: readonly (readonly string[])[]) => {
      const numbers = Buffer.alloc(rows.length * 8);
      const texts = rows.flat().map((text) => `\u001F${text.replaceAll('…', '\u001D')}`);
      return { numbers, texts: texts.join('') };
    };
    const marks = [ELLIPSIS_MARK, NULL_MARK, VALUE_MARK];
    const visible = TEXT.filter((text) => !marks.some((mark) => text.includes(mark)));
    const mask = fc.tuple(visible, visible).map((parts) => parts.join('…'));
    fc.assert(
      fc.property(fc.array(fc.tuple(mask, mask), { maxLength: 5 }), (rows) => {
        const written = masks.writePage(page(rows)) ?? [];
        expect(written.map(({ json }) => JSON.parse(json) as unknown)).toEqual(
          rows.map(([first, next]) => ({ id: 0, mask: first, next })),
        );
      }),
    );
    expect(masks.writePage(page([['bwp_live_…1234', '…']]))).toEqual([
      { id: 0, json: String.raw`{"id":0,"mask":"bwp_live_\u20261234","next":"\u2026"}` },
    ]);
  });

  it('hold times to the millisecond, in UTC', () => {
    const timeOf = (createdAt: string) => {
      const row = { id: '1', firstName: null, price: null, createdAt, note: null };
      const [written] = writer.writePage(packed([row])) ?? [];
      return (JSON.parse(written?.json ?? '') as { createdAt: string }).createdAt;
    };
    expect(timeOf('2026-11-27 13:56:38+00')).toBe('2026-11-27T13:56:38.000Z');
    expect(timeOf('2026-11-27 13:56:38.5+00')).toBe('2026-11-27T13:56:38.500Z');
    expect(timeOf('2026-11-27 13:56:38.123999+00')).toBe('2026-11-27T13:56:38.123Z');
    expect(timeOf('2026-11-27 15:56:38.25+02')).toBe('2026-11-27T13:56:38.250Z');
  });

  it('fit a page that is larger than the shared buffer', () => {
    const row = { firstName: '\u0001'.repeat(40_000), price: '-1', note: 'é'.repeat(40_000) };
    const rows = Array.from({ length: 3 }, (_, id) => ({
      ...row,
      id: String(id),
      createdAt: '2026-11-27 13:56:38+00',
    }));
    expect(writer.writePage(packed(rows))).toEqual(rows.map((each) => writer.writeRow(each)));
  });
});
