import type { DataSource } from 'typeorm';
import type { Accounts } from '../../accounts/index.js';
import type { Mail } from '../../mail/index.js';
import type { ShowPage } from '../settings-views.js';

export interface MemberPageDependencies {
  readonly dataSource: DataSource;
  readonly accounts: Accounts;
  readonly mail: Mail;
  readonly showPage: ShowPage;
}
