import { Button } from '@mantine/core';

import { hostURL } from '../../site';
import { apexText as text } from '../../text/en-apex';
import { OpenPage } from '../shared/OpenPage';

/** Shown at a host below the domain that no tenant has. */
export default function UnknownHost() {
  return (
    <OpenPage title={text.unknown.title} description={text.unknown.text(window.location.hostname)}>
      <Button component="a" href={hostURL('', '/#login')}>{text.unknown.home}</Button>
    </OpenPage>
  );
}
