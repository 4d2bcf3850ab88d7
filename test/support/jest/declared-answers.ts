import { afterAll, afterEach } from '@jest/globals';

import { expectDeclaredAnswers } from '../app/answer-faults.js';

afterEach(expectDeclaredAnswers);
afterAll(expectDeclaredAnswers);
