import { ROLES, type Role } from '../../scopes/roles.js';
import { titleOf } from '../navigation.js';

/** Purpose of each role, in a sentence. */
const HINTS: Readonly<Record<Role, string>> = {
  company_admin: 'Everything, with API keys and members.',
  manager: 'All records and approvals. Sees keys, members and usage.',
  member: 'Reads and changes records, sends bids. Deletes nothing.',
  field_crew: 'Site logs, time entries and documents of the site.',
  viewer: 'Reads records and changes nothing.',
};

/** The roles of a form. */
export function roleChoices(chosen: Role | undefined) {
  return ROLES.map((value) => ({
    value,
    text: titleOf(value),
    hint: HINTS[value],
    isChosen: value === chosen,
  }));
}

/** @returns `undefined` for an unknown role */
export function readRole(text: string | null): Role | undefined {
  return ROLES.find((role) => role === text);
}
