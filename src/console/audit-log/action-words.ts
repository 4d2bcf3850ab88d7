/** Actions of the audit log in words. The actor comes before, the object behind. */
const ACTIONS: Readonly<Record<string, string>> = {
  'account.create': 'created the account',
  'account.link_sign_in': 'connected a sign-in to',
  'account.unlink_sign_in': 'disconnected a sign-in from',
  'account.set_password': 'set the password of',
  'account.sign_in': 'signed in as',
  'account.sign_out': 'signed out',
  'api_key.create': 'created the key',
  'api_key.import': 'imported the key',
  'api_key.revoke': 'revoked the key',
  'api_key.rotate': 'rotated the key',
  'api_key.update': 'changed the key',
  'client.block': 'blocked the app',
  'client.revoke': 'ended all access of the app',
  'client.unblock': 'unblocked the app',
  'credential.refused': 'was refused as',
  'credential.revoke': 'revoked the credential',
  'grant.create': 'connected the app',
  'grant.revoke': 'disconnected the app',
  'invitation.create': 'invited',
  'invitation.delete': 'withdrew the invitation of',
  'invitation.resend': 'sent the invitation again to',
  'key.expiring': 'warned that a key expires:',
  'key.exposed': 'was found in public:',
  'key.unused': 'noticed an unused key:',
  'membership.create': 'added the member',
  'membership.delete': 'removed the member',
  'membership.update': 'changed the role of',
  'product.import': 'imported products into',
  'space.create': 'created the space',
  'space.rename': 'renamed the space',
  'space.update': 'changed the space',
  'subject.revoke': 'ended all access of',
  'tenant.create': 'created the organization',
  'tenant.resume': 'resumed the organization',
  'tenant.suspend': 'suspended the organization',
  'tenant.update': 'changed the organization',
  'webhook.create': 'created the webhook',
  'webhook.disable': 'disabled the webhook',
  'webhook.enable': 'enabled the webhook',
  'webhook.redeliver': 'sent events again to the webhook',
  'webhook.remove': 'removed the webhook',
  'webhook.rotate': 'replaced the signing secret of the webhook',
  'webhook.test': 'tested the webhook',
  'webhook.update': 'changed the webhook',
};

/** The actions that the filter offers. Others are reached by their address. */
export const KNOWN_ACTIONS: readonly string[] = Object.keys(ACTIONS);

/** @returns words for an action; its own name, taken apart, for one that has none */
export function actionInWords(action: string): string {
  return ACTIONS[action] ?? action.replaceAll(/[._]+/g, ' ');
}

/** Reasons of refused uses in words. */
const REASONS: Readonly<Record<string, string>> = {
  address_not_allowed: 'the address is not on its list',
  audience_not_served: 'the token was issued for another API',
  environment_beyond: 'the token does not reach this environment',
  expired: 'it has expired',
  exposed: 'it was sent in an address',
  forbidden: 'it may not do this',
  not_bound: 'it is bound to other resources',
  other_tenant_beside: 'the key beside it belongs to another organization',
  presentation_not_allowed: 'it was sent in a way that it does not allow',
  principal_not_admitted: 'credentials of its kind are not admitted there',
  revoked: 'it is revoked',
  scope_insufficient: 'it lacks a scope',
  tenant_suspended: 'the organization is suspended',
};

/** @returns words for the reason of a refusal */
export function reasonInWords(reason: string): string {
  return REASONS[reason] ?? reason.replaceAll('_', ' ');
}
