import { Box, Text } from '@mantine/core';
import { IconArrowRight, IconBuildingStore, IconChartAreaLine, IconCpu, IconServer2 } from '@tabler/icons-react';
import { Fragment } from 'react';

import { apexText as text } from '../../text/en-apex';
import classes from './FlowPicture.module.css';

const icons = [IconBuildingStore, IconServer2, IconCpu, IconChartAreaLine] as const;

/** The way of a license from a deal to a bill, as a picture of four steps. */
export function FlowPicture() {
  return (
    <Box className={classes.flow} role="img" aria-label={text.flow.alt}>
      {text.flow.steps.map((step, i) => {
        const Icon = icons[i] ?? IconCpu;
        const arrow = text.flow.arrows[i];
        return (
          <Fragment key={step.title}>
            <div className={classes.step}>
              <Icon size={24} stroke={1.5} color="var(--mantine-color-anchor)" />
              <Text fw={600} size="sm">{step.title}</Text>
              <Text size="xs" c="dimmed" className="num">{step.text}</Text>
            </div>
            {arrow !== undefined && (
              <div className={classes.arrow}>
                <Text size="xs" c="dimmed">{arrow}</Text>
                <IconArrowRight size={20} stroke={1.5} />
              </div>
            )}
          </Fragment>
        );
      })}
    </Box>
  );
}
