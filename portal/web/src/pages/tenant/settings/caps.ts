import { api, type Schemas } from '../../../api/client';
import { useWrite } from '../../../api/hooks';
import type { Answer } from '../../../api/problem';
import type { Cap, Settings } from '../data';

type Change = NonNullable<Schemas['TenantSettingsChange']['overage']>;

export function capId(cap: Pick<Cap, 'license_id' | 'key_id'>): string {
  return cap.license_id === undefined ? `key ${cap.key_id ?? ''}` : `license ${cap.license_id}`;
}

/** A change of the rules; caps are always sent as a whole. */
export function useChangeRules(options: { done: string | ((s: Settings, change: Change) => string); failed?: 'self' | 'notify'; onSuccess?: () => void }) {
  return useWrite((overage: Change) => api.PATCH('/api/v1/settings', { body: { overage } }) as Promise<Answer<Settings>>, { stale: ['settings'], ...options });
}

/** As the API takes a cap: a limit that is not set is left out. */
export function toChange(cap: Cap): NonNullable<Change['caps']>[number] {
  const { max_cost: cost, max_uses: uses, currency, ...of } = cap;
  return { ...of, max_uses: uses, ...(cost === null ? {} : { max_cost: cost, ...(currency === undefined ? {} : { currency }) }) };
}
