import { expect } from '@jest/globals';
import type { Response } from 'supertest';

/** Checks that an answer is this problem, in the form that all problems have (RFC 9457). */
export function expectProblem(answer: Response, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body?.code }).toEqual({ status, code });
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(answer.body).toMatchObject({
    type: expect.stringMatching(new RegExp(`^https?://[^#]+#${code}$`)),
    title: expect.stringMatching(/./),
    detail: expect.stringMatching(/./),
    request_id: answer.headers['x-request-id'],
    status,
  });
  expect(Array.isArray(answer.body.errors)).toBe(code === 'validation_failed');
}

/** Checks that exactly these members were refused as invalid. */
export function expectInvalid(answer: Response, fields: readonly string[]): void {
  expectProblem(answer, 422, 'validation_failed');
  const errors = answer.body.errors as { field: string; code: string; message: string }[];
  expect([...new Set(errors.map(({ field }) => field))].toSorted()).toEqual(fields.toSorted());
  for (const error of errors) {
    expect(error).toEqual({
      field: expect.any(String),
      code: expect.stringMatching(/^[a-z_]+$/),
      message: expect.stringMatching(/./),
    });
  }
}
