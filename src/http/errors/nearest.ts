/** Longer texts are not compared, because the cost grows with the product of both lengths. */
const MAX_LENGTH = 48;

/**
 * Finds the known word that is most similar to a mistyped one.
 *
 * @param text untrusted input
 * @param maxChanges the maximum distance; a third of the text's length by default
 * @returns `undefined` if no word is similar
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
    // The difference in length is a lower bound of the distance.
    if (Math.abs(word.length - wanted.length) >= least) continue;
    const distance = distanceOf(wanted, word.toLowerCase(), least);
    if (distance >= least) continue;
    nearest = word;
    least = distance;
  }
  return nearest;
}

/**
 * Counts the insertions, deletions, substitutions and transpositions between two texts (optimal string alignment
 * distance).
 *
 * @param least the result for this distance and any larger one
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
    // Later rows have no smaller values.
    if (Math.min(...current) >= least) return least;
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}
