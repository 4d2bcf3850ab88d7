/** The options that set an external id and metadata. */
export const ANNOTATIONS = {
  'external-id': { value: 'ID', summary: 'id in your own systems; "" removes it' },
  metadata: { value: 'JSON', summary: 'JSON object of up to 4 KB, instead of the former one' },
} as const;

/** The options that filter a list by them. */
export const BY_ANNOTATIONS = {
  'external-id': { value: 'ID', summary: 'only with this external id' },
  metadata: {
    value: 'NAME=VALUE',
    repeatable: true,
    summary: 'only with this member of the metadata',
  },
} as const;
