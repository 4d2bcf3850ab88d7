/**
 * A command's result for a person: a table for a list, a line a member for a single thing, and below
 * those a table for each list of things in it.
 * @param result what the command printed as JSON otherwise
 */
export function renderText(result: unknown): string {
  const plain: unknown = JSON.parse(JSON.stringify(result) ?? 'null');
  if (Array.isArray(plain)) return renderTable(plain.filter(isRecord));
  if (!isRecord(plain)) return cell(plain);
  const members = Object.entries(plain);
  const single = members.filter(([, value]) => !isTable(value));
  const width = Math.max(...single.map(([key]) => key.length));
  return [
    ...single.map(([key, value]) => `${key.padEnd(width)}  ${cell(value)}`),
    ...members.flatMap(([key, value]) =>
      isTable(value) ? [`\n${key}\n${renderTable(value)}`] : [],
    ),
  ].join('\n');
}

function renderTable(rows: readonly Record<string, unknown>[]): string {
  const [first] = rows;
  if (first === undefined) return 'None.';
  const columns = Object.keys(first);
  const cells = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, index) =>
    Math.max(...cells.map((row) => row[index]?.length ?? 0)),
  );
  return cells
    .map((row) =>
      row
        .map((text, index) => text.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (Array.isArray(value)) return value.map(cell).join(' ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isTable(value: unknown): value is readonly Record<string, unknown>[] {
  return Array.isArray(value) && value.length > 0 && value.every(isRecord);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
