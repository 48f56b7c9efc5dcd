import { Button, Fieldset, Select, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useSearchParams } from 'react-router';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { usePlans, type Plan } from '../../api/plans';
import { formatCount } from '../../format';
import { bindTo, FormProblem } from '../../parts/form';
import { hostURL } from '../../site';
import { apexText as text } from '../../text/en-apex';
import { OpenPage } from '../shared/OpenPage';
import { CompanyFields, companyOf, companyPointers, emptyCompany, idOf, withDomain, type CompanyValues } from '../signup/CompanyFields';
import { tokenOf, usePending, type Pending } from '../signup/pending';
import { VerifyDomain } from '../signup/VerifyDomain';

interface Values extends CompanyValues {
  tenant: Schemas['Registration']['tenant'];
}

/** A company signs up: its data, then the proof that the domain is its own. */
export default function SignUp() {
  const [pending, setPending] = usePending();
  if (pending === null) return <Register onRegistered={setPending} />;
  return (
    <VerifyDomain
      pending={pending}
      onAgain={() => setPending(null)}
      verify={(p, signal) => api.POST('/api/v1/tenants/verify', { body: { tenant_id: p.id, verification_token: tokenOf(p.recordValue) }, signal })}
    />
  );
}

type PlanName = Values['tenant']['plan'];

function planOption({ plan, max_vendors: vendors, max_seats: seats }: Plan): { value: string; label: string } {
  return { value: plan, label: text.signUp.planOption(text.plans.names[plan] ?? plan, text.plans.vendors(vendors), text.plans.seats(seats === null ? null : formatCount(seats))) };
}

function Register({ onRegistered }: { onRegistered: (pending: Pending) => void }) {
  const [params] = useSearchParams();
  const plans = usePlans().data?.items ?? [];
  const wanted = (Object.keys(text.plans.names) as PlanName[]).find((name) => name === params.get('plan')) ?? 'free';
  const form = useForm<Values>({ transformValues: withDomain, initialValues: { ...emptyCompany, tenant: { id: '', region: 'eu-central', plan: wanted } } });
  const register = useWrite(
    ({ company, tenant, admin }: Values) => api.POST('/api/v1/tenants/register', { body: { company: companyOf(company), tenant, admin } }),
    {
      failed: 'self',
      open: true,
      onSuccess: ({ tenant_id, verification: { dns_record } }, { company, admin }) =>
        onRegistered({ id: tenant_id, domain: company.domain, email: admin.email, recordName: dns_record.name, recordValue: dns_record.value }),
    },
  );
  const { error } = register;
  const bind = bindTo(form, error);
  const { id } = form.values.tenant;
  form.watch('company.domain', ({ value, previousValue }) => {
    const { tenant } = form.getValues();
    if (tenant.id === idOf(previousValue)) form.setFieldValue('tenant.id', idOf(value));
  });
  return (
    <OpenPage width={680} title={text.signUp.title} description={text.signUp.description}>
      <form onSubmit={form.onSubmit((values) => register.mutate(values))}>
        <Stack gap="md">
          <CompanyFields bind={bind}>
            <Fieldset legend={text.signUp.tenant}>
              <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md">
                <TextInput label={text.signUp.tenantId} description={text.signUp.tenantIdHint(hostURL(id === '' ? '…' : id, ''))} inputWrapperOrder={['label', 'input', 'description', 'error']} required withAsterisk={false} autoCapitalize="none" spellCheck={false} maxLength={50} {...bind('tenant.id')} />
                <TextInput label={text.signUp.region} description={text.signUp.regionHint} inputWrapperOrder={['label', 'input', 'description', 'error']} required withAsterisk={false} {...bind('tenant.region')} />
                <Select label={text.signUp.plan} required withAsterisk={false} allowDeselect={false} data={plans.length > 0 ? plans.map(planOption) : [{ value: wanted, label: text.plans.names[wanted] ?? wanted }]} {...bind('tenant.plan')} />
              </SimpleGrid>
            </Fieldset>
          </CompanyFields>
          <FormProblem error={error} shown={[...companyPointers, 'tenant/id', 'tenant/region', 'tenant/plan']} />
          <Button type="submit" size="md" loading={register.isPending}>{text.signUp.submit}</Button>
        </Stack>
      </form>
    </OpenPage>
  );
}
