import t from 'tap';

import { openStore } from '../../store/index.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { watchGuarantees } from './watch-guarantees.ts';

const cluster = await EtcdCluster.start();
t.teardown(() => cluster.stop());

let parts = 0;
watchGuarantees('etcd', async () => {
  const prefix = `/part-${parts++}`;
  return () => openStore({ etcd: { endpoints: cluster.endpoints, prefix } });
});
