import { Account } from './account.entity.js';
import { Membership } from './membership.entity.js';

export const ACCOUNT_ENTITIES = [Account, Membership];
