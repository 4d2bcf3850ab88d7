import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { Column } from '../../src/db/packed-rows.js';
import { createRowWriter } from '../../src/db/written-rows.js';

const COLUMNS: readonly Column[] = [
  { member: 'id', name: 'id', type: 'id' },
  { member: 'firstName', name: 'first_name', type: 'text' },
  { member: 'price', name: 'price', type: 'integer' },
  { member: 'createdAt', name: 'created_at', type: 'time' },
  { member: 'note', name: 'note', type: 'text' },
];
const writer = createRowWriter(COLUMNS);

type Row = Readonly<Record<string, string | null>>;

/** A page as PostgreSQL sends it. */
function packed(rows: readonly Row[]) {
  const valueOf = (value: string | null | undefined) =>
    value === null || value === undefined ? '\u001E' : `\u001F${value}`;
  const page = rows.flatMap((row) => COLUMNS.map(({ member }) => valueOf(row[member]))).join('');
  return { rows: rows.length, page: rows.length === 0 ? null : page };
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
const ROW: fc.Arbitrary<Row> = fc.record({
  id: fc.maxSafeNat().map(String),
  firstName: fc.option(TEXT),
  price: fc.option(fc.integer().map(String)),
  createdAt: fc.oneof(TIME, fc.constantFrom('infinity', '0044-03-15 12:00:00+00 BC')),
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
          const { firstName, note, price } = rows[index] ?? {};
          expect(JSON.parse(json)).toMatchObject({ id, firstName, note });
          expect(JSON.parse(json)).toHaveProperty('price', price == null ? null : Number(price));
        }
      }),
    );
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
