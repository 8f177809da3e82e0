/** Every word that a person reads on the simulated Microsoft's pages. */
export const texts = {
  banner: 'Simulated Microsoft — not real',
  bannerDetail: 'A stand-in for development. No password is asked, nothing leaves this machine.',
  pickTitle: 'Pick an account',
  pickIntro: (app: string) => `to continue to ${app}`,
  pickOther: 'Use another account',
  signInTitle: 'Sign in',
  signInIntro: (username: string) => `as ${username}`,
  signInButton: 'Sign in',
  consentTitle: 'Permissions requested',
  consentIntro: (app: string) => `${app} would like to:`,
  consentAlways: 'Maintain access to data you have given it access to',
  consentOrganisation: 'Consent on behalf of your organization',
  consentNote:
    'Accepting these permissions means that you allow this app to use your data. This simulator remembers it until it is told to forget.',
  accept: 'Accept',
  cancel: 'Cancel',
  needAdminTitle: 'Need admin approval',
  needAdminIntro: (app: string) =>
    `${app} needs permission to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it.`,
  needAdminOther: 'Have an admin account? Sign in with that account',
  needAdminReturn: 'Return to the application without granting consent',
  adminTitle: 'Review for your organization',
  adminIntro: (app: string, organisation: string) =>
    `${app} asks for these permissions for all users of ${organisation}:`,
  adminOnly: 'This page needs an administrator. Pick an account that is one.',
  errorTitle: 'Sorry, but we’re having trouble signing you in.',
  blockedTitle: 'You cannot access this right now',
  blockedIntro:
    'Your sign-in was successful but does not meet the criteria to access this resource. For example, you might be signing in from a browser, app, or location that is restricted by your admin.',
  troubleshooting: 'Troubleshooting details',
  otherAccount: 'Sign out and sign in with a different account',
  returningTitle: 'Returning to the application',
  returningButton: 'Continue',
  signedOutTitle: 'You signed out of your account',
  signedOutIntro: 'It’s a good idea to close all browser windows.',
  lookupTitle: 'Error',
  lookupUnknown: 'This code is not in the simulator’s table.',
  signedInAs: (username: string) => `Signed in as ${username}`,
} as const

/** What each permission is called on the consent page, after Microsoft's own words. */
export const permissionTexts: Readonly<Record<string, [title: string, detail: string]>> = {
  'User.Read': [
    'Sign you in and read your profile',
    'Allows the app to read your profile and basic company information.',
  ],
  'User.ReadWrite': ['Read and update your profile', 'Allows the app to read and change your profile.'],
  'User.RevokeSessions.All': ['Revoke sign-in sessions', 'Allows the app to end sign-in sessions.'],
  'Files.Read': ['Read your files', 'Allows the app to read your files.'],
  'Files.Read.All': ['Read all files that you have access to', 'Allows the app to read all files you can access.'],
  'Files.ReadWrite': [
    'Have full access to your files',
    'Allows the app to read, create, update and delete your files.',
  ],
  'Files.ReadWrite.All': [
    'Have full access to all files you have access to',
    'Allows the app to read, create, update and delete all files you can access.',
  ],
  'Sites.Read.All': ['Read items in all site collections', 'Allows the app to read documents and lists in all sites.'],
  'Sites.ReadWrite.All': [
    'Edit or delete items in all site collections',
    'Allows the app to change documents and lists in all sites.',
  ],
  'Sites.Selected': [
    'Access selected Sites, on behalf of the signed-in user',
    'Allows the app to access the sites that an administrator has selected.',
  ],
  'Mail.Read': ['Read your mail', 'Allows the app to read mail in your mailbox.'],
  'Calendars.Read': ['Read your calendars', 'Allows the app to read events of your calendars.'],
}
