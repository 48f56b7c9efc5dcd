import { Tabs } from '@mantine/core';
import { useLocation, useNavigate } from 'react-router';

import { billingText as text } from '../../text/en-vendors-billing';

const paths = { overage: '/billing', invoices: '/billing/invoices' } as const;

/** Leads between overage and invoices. */
export function BillingTabs() {
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const here = pathname.startsWith(paths.invoices) ? 'invoices' : 'overage';
  return (
    <Tabs value={here} onChange={(to) => void navigate(paths[to === 'invoices' ? 'invoices' : 'overage'])} mb="md" activateTabWithKeyboard={false}>
      <Tabs.List aria-label={text.sections}>
        <Tabs.Tab value="overage" aria-controls="billing-part">{text.overage}</Tabs.Tab>
        <Tabs.Tab value="invoices" aria-controls="billing-part">{text.invoices}</Tabs.Tab>
      </Tabs.List>
    </Tabs>
  );
}
