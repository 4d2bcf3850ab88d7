/** Answers of the API that their routes do not declare, since the last look. Few are kept: the first says enough. */
const faults: string[] = [];

const KEPT = 5;

export function reportAnswer(fault: string): void {
  if (faults.length < KEPT) faults.push(fault);
}

/** @throws Error if an answer was not as its route declares it */
export function expectDeclaredAnswers(): void {
  if (faults.length > 0) throw new Error(faults.splice(0).join('\n\n'));
}
