// Texts of the platform's own host, and of sign-up there and on the vendors' host.

export const apexText = {
  nav: { label: 'Main navigation', plans: 'Plans', vendors: 'For vendors', api: 'API', login: 'Log in', signUp: 'Sign up' },

  hero: {
    title: 'Every seat of every license, shared by everyone who needs it',
    text: 'Vendors provision licenses in one call. Your machines check seats out and give them back. You see who uses what, and what it costs, as it happens.',
    signUp: 'Sign up your company',
    vendor: 'I sell software',
    pageTitle: 'Licenses as a service',
  },

  flow: {
    title: 'How it works',
    alt: 'A vendor provisions a license to a customer’s tenant; applications check seats out there and return them; both sides see use and costs.',
    steps: [
      { title: 'Vendor', text: 'Closes a deal; the CRM provisions the license' },
      { title: 'Your tenant', text: '20 seats: 5 committed, 15 overage' },
      { title: 'Your applications', text: 'Check out, keep alive, return' },
      { title: 'Use and costs', text: 'Live for you, billed by the vendor' },
    ],
    arrows: ['provision', 'check out', 'record'],
  },

  facts: [
    { title: 'Never more than you have', text: 'A seat is granted once. Three machines agree before anybody gets it, and none is lost when one of them fails.' },
    { title: 'Pay for what you use', text: 'Committed seats first, overage only when they are gone, and only as far as you allow. Every use is one record with its price.' },
    { title: 'Yours alone', text: 'Each company has its own host, keys, data key and audit log. Keys can be bound to hostnames and networks.' },
  ],

  plans: {
    title: 'Plans',
    text: 'For customers. Vendors use cloudlicenses for free.',
    names: { free: 'Free', startup: 'Startup', professional: 'Professional', enterprise: 'Enterprise' } as Readonly<Record<string, string>>,
    month: 'per month',
    custom: 'By agreement',
    vendors: (n: number | null) => (n === null ? 'Any number of vendors' : n === 1 ? '1 vendor' : `${n} vendors`),
    seats: (n: string | null) => (n === null ? 'Any number of seats' : `${n} seats`),
    choose: (name: string) => `Choose ${name}`,
  },

  find: {
    title: 'Log in to your tenant',
    label: 'Tenant ID',
    hint: (example: string) => `Your portal is at ${example}.`,
    submit: 'Go to log-in',
    vendors: 'Vendors log in here',
  },

  signUp: {
    title: 'Sign up your company',
    description: 'You need to be able to set a DNS record of your company’s domain: it proves that the name is yours.',
    vendorTitle: 'Sign up as a vendor',
    vendorDescription: 'Provision licenses to your customers and bill their use. Free for vendors. You need to be able to set a DNS record of your domain.',
    company: 'Company',
    companyName: 'Name',
    domain: 'Domain',
    domainHint: 'Such as mercedes.com',
    country: 'Country',
    taxId: 'Tax ID (optional)',
    tenant: 'Tenant',
    tenantId: 'Tenant ID',
    tenantIdHint: (url: string) => `Your portal and your API: ${url}`,
    vendor: 'Vendor account',
    vendorId: 'Vendor ID',
    vendorIdHint: 'Lower-case letters, digits and hyphens. Your users log in with it.',
    prefix: 'License prefix (optional)',
    prefixHint: (prefix: string) => `What your license IDs begin with: lic-${prefix}-…`,
    region: 'Region',
    regionHint: 'Where your data is kept, such as eu-central. It stays there.',
    plan: 'Plan',
    planOption: (name: string, vendors: string, seats: string) => `${name}: ${vendors.toLowerCase()}, ${seats.toLowerCase()}`,
    admin: 'First administrator',
    adminName: 'Name',
    adminEmail: 'E-mail address',
    adminEmailHint: 'The link to set a password is mailed here once the domain is verified.',
    submit: 'Continue',
    haveAccount: 'You have an account?',
  },

  verify: {
    title: 'Verify your domain',
    description: (domain: string) => `Set this record in the DNS of ${domain}. We look for it every few seconds. This usually takes a few minutes.`,
    type: 'Type',
    name: 'Name',
    value: 'Value',
    waiting: 'Waiting for the record',
    waitingText: 'You may close this page and come back in this browser: your name is reserved for seven days.',
    checked: 'Last checked:',
    checkNow: 'Check now',
    verified: 'Domain verified',
    mailed: (email: string) => `Your account is ready. A mail with a link to set your password is on its way to ${email}.`,
    open: 'Open your portal',
    over: 'This sign-up has already been finished or has expired. Log in, or start again.',
    again: 'Start again',
    steps: { register: 'Registered', record: 'DNS record', found: 'Verified', mail: 'Mail sent' },
    stepsLabel: 'Steps of the sign-up',
  },

  unknown: {
    title: 'There is nobody at this address',
    text: (host: string) => `${host} is not the host of any company here. Check the spelling of your tenant ID.`,
    home: 'Find your tenant',
  },

  problem: {
    title: (code: string) => `Problem: ${code}`,
    status: 'HTTP status',
    retryable: 'Retry',
    yes: 'Yes, with the same Idempotency-Key',
    no: 'No, fix the cause first',
    unknown: 'There is no problem of this name.',
  },
};
