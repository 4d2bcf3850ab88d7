/** The password of all test users. */
export const PASSWORD = 'correct horse battery staple';
