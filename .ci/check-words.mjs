// Fails on wordings that docs/style.md rejects, with file and line. A wording is found across a line break too.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Files and folders that are read. Released migrations are frozen, comments included. */
const PATHS = ['README.md', 'bench', 'docs', 'src', 'test', 'views'];

/** The style guide quotes the wordings. */
const EXCEPTIONS = ['docs/style.md'];

const TEXT = /\.(ts|mts|mjs|md|eta|css|html|sql)$/;

/** "is no longer" and "there is no key" are plain English, "is no key" is not. */
const COMPARATIVE = '(?:longer|more|less|fewer|later|earlier|sooner|wider|shorter|slower|better)';

/** Each rejected wording, and the one to use instead. A blank stands for any white space. */
const WORDINGS = [
  ['\\bwhoever\\b', 'name the actor: the caller, the holder, a client that …'],
  ['\\banew\\b', 'again, or a verb such as re-create'],
  [`(?<!\\bthere )\\b(?:is|are|was|were) no (?!${COMPARATIVE}\\b)`, 'is not a'],
  ['(?<!\\bthere )\\b(?:is|are|was|were) none\\b', 'does not exist, is not one'],
  ['\\bby heart\\b', 'in memory'],
  ['\\bfor good\\b', 'permanently'],
  ['\\b(?:told|tell|tells|telling) (?:\\w+ )?apart\\b', 'distinguish'],
  ['\\bat the most\\b', 'at most'],
  ['\\b(?:thrown|throw|throws|throwing) away\\b', 'delete, discard'],
  ['\\b(?:go|goes|going|went|gone) on\\b', 'continue, remain'],
];

/** First words of a comment that put the noun last. Case matters: a comment's next line may begin with "what". */
const OPENING = /^[ \t]*(?:\/\*\*|\/\/|\*) (?:What|Of|Who|Whoever|So that)\b/gm;

/** White space, also where a comment's next line begins. */
const GAP = String.raw`(?:\s+(?:(?:\*|//)\s+)?)`;
const rules = [
  ...WORDINGS.map(([pattern, instead]) => ({
    pattern: new RegExp(pattern.replaceAll(' ', GAP), 'gi'),
    instead,
  })),
  { pattern: OPENING, instead: 'the noun or the verb first' },
];

const filesIn = (path) =>
  statSync(path).isFile()
    ? [path]
    : readdirSync(path, { recursive: true }).map((name) => join(path, name));

const faults = PATHS.flatMap(filesIn)
  .filter((file) => TEXT.test(file) && !EXCEPTIONS.includes(file))
  .flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return rules.flatMap(({ pattern, instead }) =>
      [...text.matchAll(pattern)].map(({ 0: found, index }) => {
        const line = text.slice(0, index).split('\n').length;
        return `${file}:${line} "${found.replaceAll(/\s+/g, ' ').trim()}": write ${instead}`;
      }),
    );
  });

for (const fault of faults) console.error(fault);
process.exit(faults.length > 0 ? 1 : 0);
