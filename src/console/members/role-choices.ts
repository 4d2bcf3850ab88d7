import { ROLES, sentenceOf, titleOf, type Role } from '../../scopes/roles.js';

/** The roles of a form. */
export function roleChoices(chosen: Role | undefined) {
  return ROLES.map((value) => ({
    value,
    text: titleOf(value),
    hint: sentenceOf(value),
    isChosen: value === chosen,
  }));
}

/** @returns `undefined` for an unknown role */
export function readRole(text: string | null): Role | undefined {
  return ROLES.find((role) => role === text);
}
