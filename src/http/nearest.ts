/** Longer texts are not compared: the cost grows with the product of both lengths. */
const MAX_LENGTH = 48;

/**
 * The known word that a mistyped one was probably meant to be.
 *
 * @param text anything from outside
 * @param maxChanges characters that may have to change; a third of the text by default
 * @returns `undefined` if none is near
 */
export function nearestTo(
  text: unknown,
  known: readonly string[],
  maxChanges?: number,
): string | undefined {
  if (typeof text !== 'string' || text === '' || text.length > MAX_LENGTH) return undefined;
  const wanted = text.trim().toLowerCase();
  let nearest: string | undefined;
  let least = (maxChanges ?? Math.max(1, Math.floor(wanted.length / 3))) + 1;
  for (const word of known) {
    // Each character more or less is a change of its own.
    if (Math.abs(word.length - wanted.length) >= least) continue;
    const distance = distanceOf(wanted, word.toLowerCase(), least);
    if (distance >= least) continue;
    nearest = word;
    least = distance;
  }
  return nearest;
}

/**
 * Insertions, deletions, substitutions and swaps of neighbours that lead from one text to the other (optimal
 * string alignment).
 *
 * @param least where counting stops: a larger distance is not told from this one
 */
function distanceOf(from: string, to: string, least: number): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isEqual = from[row - 1] === to[column - 1];
      const isSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current.push(
        Math.min(
          (previous[column - 1] ?? 0) + (isEqual ? 0 : 1),
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          row > 1 && column > 1 && isSwapped ? (beforePrevious[column - 2] ?? 0) + 1 : Infinity,
        ),
      );
    }
    // No later row has a smaller one.
    if (Math.min(...current) >= least) return least;
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}
