import { runInThisContext } from 'node:vm';

/** Classes of which the tests and the program each would have their own. */
const SHARED = [
  'AggregateError',
  'Date',
  'Error',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
];

// The program runs in Node's own realm (native-modules.mjs), a test file in one of Jest's.
for (const name of SHARED) Object.assign(globalThis, { [name]: runInThisContext(name) as unknown });
