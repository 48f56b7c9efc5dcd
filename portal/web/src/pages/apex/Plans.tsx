import { Button, SimpleGrid, Skeleton, Stack, Text, Title } from '@mantine/core';
import { Link } from 'react-router';

import { usePlans, type Plan } from '../../api/plans';
import { formatCount, formatMoney, formatSentence } from '../../format';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { apexText as text } from '../../text/en-apex';

const planCards = 4;

/** The plans as the API has them, side by side. */
export function Plans() {
  const plans = usePlans();
  return (
    <Stack component="section" id="plans" gap="lg" aria-labelledby="plans-title">
      <Stack gap={4}>
        <Title order={2} id="plans-title">{text.plans.title}</Title>
        <Text size="sm" c="dimmed">{text.plans.text}</Text>
      </Stack>
      {plans.error !== null && plans.data === undefined ? (
        <ProblemAlert error={plans.error} onRetry={() => void plans.refetch()} />
      ) : (
        <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }}>
          {plans.data === undefined
            ? Array.from({ length: planCards }, (_, i) => <Skeleton key={i} h={212} />)
            : plans.data.items.map((plan) => <PlanCard key={plan.plan} plan={plan} />)}
        </SimpleGrid>
      )}
    </Stack>
  );
}

function PlanCard({ plan }: { plan: Plan }) {
  const name = text.plans.names[plan.plan] ?? plan.plan;
  return (
    <Stack className="card" p="md" gap="sm">
      <Title order={3}>{name}</Title>
      {plan.price_monthly === null ? (
        <Text fz="1.25rem" fw={600}>{text.plans.custom}</Text>
      ) : (
        <Text fz="1.25rem" fw={600} className="num">{formatMoney(plan.price_monthly, plan.currency)} <Text span size="sm" c="dimmed" fw={400}>{text.plans.month}</Text></Text>
      )}
      <Stack component="ul" gap={4} m={0} pl="md" flex={1} fz="sm" className="num">
        <li>{text.plans.vendors(plan.max_vendors)}</li>
        <li>{text.plans.seats(plan.max_seats === null ? null : formatCount(plan.max_seats))}</li>
        <li>{formatSentence(plan.support)}</li>
      </Stack>
      <Button component={Link} to={`/signup?plan=${plan.plan}`} variant="default">{text.plans.choose(name)}</Button>
    </Stack>
  );
}
