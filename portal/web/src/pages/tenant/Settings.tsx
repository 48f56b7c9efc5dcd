import { Tabs } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { useSearchParams } from 'react-router';

import { useMay } from '../../api/session';
import { Loading } from '../../parts/Loading';
import { PageHeader } from '../../parts/PageHeader';
import { settingsText as text } from '../../text/en-tenant-settings';

const sections = {
  plan: lazy(() => import('./settings/Plan')),
  overage: lazy(() => import('./settings/Overage')),
  sso: lazy(() => import('./settings/SingleSignOn')),
  vendors: lazy(() => import('./settings/Vendors')),
  deletion: lazy(() => import('./settings/Deletion')),
};
type Name = keyof typeof sections;

/** What holds for the whole tenant; which section is open stands in the URL. */
export default function Settings() {
  const deletes = useMay('delete_tenant');
  const [params, setParams] = useSearchParams();
  const names = (Object.keys(sections) as Name[]).filter((n) => n !== 'deletion' || deletes);
  const open = names.find((n) => n === params.get('tab')) ?? 'plan';
  return (
    <>
      <PageHeader title={text.title} description={text.description} />
      <Tabs value={open} keepMounted={false} onChange={(tab) => setParams(tab === null || tab === 'plan' ? {} : { tab }, { replace: true })}>
        <Tabs.List mb="lg" aria-label={text.tabsLabel}>
          {names.map((n) => <Tabs.Tab key={n} value={n}>{text.tabs[n]}</Tabs.Tab>)}
        </Tabs.List>
        {names.map((n) => {
          const Section = sections[n];
          return <Tabs.Panel key={n} value={n}><Suspense fallback={<Loading height="30vh" />}><Section /></Suspense></Tabs.Panel>;
        })}
      </Tabs>
    </>
  );
}
