import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { enrolPath, type EnrolAnswer } from '../../../api/index.ts';
import { systemClock, silentLog, type CodedError } from '../../../base/index.ts';
import {
  identityOf,
  issueLeaf,
  makeCertificateRequest,
  type CertificateRequest,
  type TlsCredentials,
} from '../../../certs/index.ts';
import type { AuditEvent } from '../../../gateway/audit/index.ts';
import { Enrolment, TokenDesk, type EnrolmentOptions } from '../../../gateway/enrolment/index.ts';
import { FleetApi, ReplicaObjects } from '../../../gateway/fleet/index.ts';
import { createPublicListener } from '../../../gateway/public-listener.ts';
import { fullAccess } from '../../../resources/index.ts';
import { openEmbeddedStore, type Store } from '../../../store/index.ts';
import { TestFleet } from '../../support/certificates.ts';

export const operator = fullAccess('operator/tester');

/** A replica's enrolment without its listeners. */
export class EnrolmentSetting {
  readonly certificates: TestFleet;
  readonly store: Store;
  readonly fleet: FleetApi;
  readonly desk: TokenDesk;
  readonly enrolment: Enrolment;
  readonly audited: AuditEvent[] = [];
  /** What the wall clock is ahead, milliseconds. */
  later = 0;
  readonly issuer: { keyId: string | undefined; readonly issue: EnrolmentOptions['issuer']['issue'] };
  /** Keys that are revoked. */
  readonly revoked = new Map<string, CodedError>();

  static async start(t: Test, options: Partial<EnrolmentOptions> = {}): Promise<EnrolmentSetting> {
    const certificates = await TestFleet.create();
    const store = openEmbeddedStore();
    const replica = new ReplicaObjects(systemClock);
    const onFault = (error: unknown): void => void t.fail(String(error));
    const fleet = await FleetApi.open({ store, replicas: replica.collection, clock: systemClock, onFault });
    const credentials = await certificates.credentials('replica/site-a/r0');
    const setting = new EnrolmentSetting({ certificates, store, fleet, credentials }, options);
    t.teardown(async () => {
      setting.desk.close();
      replica.close();
      fleet.close();
      await store.close();
    });
    return setting;
  }

  private constructor(
    parts: {
      readonly certificates: TestFleet;
      readonly store: Store;
      readonly fleet: FleetApi;
      readonly credentials: TlsCredentials;
    },
    options: Partial<EnrolmentOptions>,
  ) {
    const { certificates, store, fleet, credentials } = parts;
    this.certificates = certificates;
    this.store = store;
    this.fleet = fleet;
    const { edgeNodes: nodes, joinTokens: tokens } = fleet;
    this.desk = new TokenDesk({
      store,
      tokens,
      credentials,
      publicListeners: ['gw.test:8442'],
      publicPort: () => 8442,
      log: silentLog,
    });
    const { authority } = certificates;
    this.issuer = {
      keyId: 'key',
      issue: (edge, publicKey) =>
        issueLeaf(authority.issuers.edge, {
          identity: identityOf(certificates.trustDomain, `edge/${edge}`),
          publicKey,
        }),
    };
    this.enrolment = new Enrolment({
      store,
      nodes,
      tokens,
      issuer: this.issuer,
      trust: () => certificates.trust,
      refusal: (_edge, keyPin) => this.revoked.get(keyPin),
      gateways: ['gw.test:8441'],
      linkPort: () => 8441,
      audit: { record: (event) => void this.audited.push(event) },
      log: silentLog,
      wallClock: () => Date.now() + this.later,
      ...options,
    });
  }

  /** The text of a new token. */
  async token(spec: object): Promise<string> {
    return (await this.desk.create(operator, spec)).token;
  }

  /** The public listener of this replica; `answer` may stand between. Returns `127.0.0.1:PORT`. */
  async listen(
    t: Test,
    answer: (body: unknown, remote: string) => Promise<object> = (...asked) => this.enrolment.enrol(...asked),
    credentials?: TlsCredentials,
  ): Promise<string> {
    const server = createPublicListener({
      credentials: credentials ?? (await this.certificates.credentials('replica/site-a/r0')),
      openPaths: () => false,
      paths: { [enrolPath]: { method: 'POST', answer } },
      clock: systemClock,
      log: silentLog,
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.teardown(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** One attempt, with a new key where none is given. */
  async enrol(token: string, edge?: string, request?: CertificateRequest): Promise<EnrolAnswer> {
    const { csrPem: csr } = request ?? (await makeCertificateRequest());
    return await this.enrolment.enrol({ token, csr, ...(edge === undefined ? {} : { edge }) }, '192.0.2.1');
  }

  async node(edge: string): Promise<unknown> {
    const held = await this.fleet.edgeNodes.collection.get('', edge, { match: 'newest' });
    return held === undefined ? undefined : JSON.parse(held.json.toString());
  }

  async admit(edge: string, spec: object): Promise<void> {
    const object = { apiVersion: 'causeway.io/v1', kind: 'EdgeNode', metadata: { name: edge }, spec };
    await this.fleet.edgeNodes.create(operator, '', object);
  }
}
